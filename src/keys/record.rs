//! What a restart needs to know of a key, so that it asks nothing.

use alloy_primitives::Address;

use crate::{key_ref::KeyRef, public_key::PublicKey, signer::KmsSigner};

/// A key with its public key, to be kept between runs: signers [loaded](super::Keys::load_signers) from records make no request
/// until they sign.
///
/// It holds no secret, but keep it like configuration: who can change it decides which keys are loaded. A public key that is not
/// the key's own leads to no signature: every one is verified against it.
///
/// With the feature `serde` it is `{"key": …, "public_key": …, "address": …}`; the public key is in hexadecimal (SEC 1, compressed), and
/// an address that is not its own is refused when it is read.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use kms_signer::{fake::FakeKms, keys::{Filter, KeyRecord, Keys, NewKey}};
///
/// let fake = FakeKms::new();
/// let keys = Keys::new(fake.client());
/// keys.create(NewKey::signing()).await?;
/// let records: Vec<KeyRecord> = keys.load_signers(Filter::new()).await?.records();
/// # #[cfg(feature = "serde")] {
/// let file = serde_json::to_string(&records).unwrap();
/// let records: Vec<KeyRecord> = serde_json::from_str(&file).unwrap();
///
/// let before = fake.requests().len();
/// let signers = keys.load_signers(records).await?;
/// assert_eq!((signers.len(), fake.requests().len()), (1, before));
/// # }
/// # Ok::<_, kms_signer::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    key: KeyRef,
    public_key: PublicKey,
}

impl KeyRecord {
    /// A record of a key: what it is called, and whose it is.
    pub fn new(key: impl Into<KeyRef>, public_key: PublicKey) -> Self {
        Self { key: key.into(), public_key }
    }

    /// The key.
    pub fn key(&self) -> &KeyRef {
        &self.key
    }

    /// Its public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Its Ethereum address.
    pub fn address(&self) -> Address {
        self.public_key.address()
    }
}

impl From<&KmsSigner> for KeyRecord {
    fn from(signer: &KmsSigner) -> Self {
        Self::new(signer.key().clone(), signer.public_key().clone())
    }
}

#[cfg(feature = "serde")]
mod serde_impl {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use super::{Address, KeyRecord, KeyRef, PublicKey};

    #[derive(Deserialize, Serialize)]
    struct Fields {
        key: KeyRef,
        public_key: PublicKey,
        address: String,
    }

    impl Serialize for KeyRecord {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let (key, public_key, address) = (self.key.clone(), self.public_key.clone(), self.address().to_string());
            Fields { key, public_key, address }.serialize(serializer)
        }
    }

    impl<'de> Deserialize<'de> for KeyRecord {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Fields { key, public_key, address } = Fields::deserialize(deserializer)?;
            let record = Self { key, public_key };
            match address.parse::<Address>() {
                Ok(address) if address == record.address() => Ok(record),
                Ok(address) => Err(D::Error::custom(format!(
                    "the address {address} is not that of the public key, which is {}",
                    record.address()
                ))),
                Err(_) => Err(D::Error::custom("the address is not 0x and 40 hexadecimal digits")),
            }
        }
    }
}
