//! Bringing a private key that exists into KMS, and proving that it has arrived.

use aws_sdk_kms::types::{KeySpec, OriginType};

use super::{KeyInfo, Keys, NewKey, Secret, create::Incomplete, visible::Early, wrap};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

impl Keys {
    /// Makes a key of a private key that exists, waits until it can be used, and gives it its alias.
    ///
    /// The secret is wrapped for KMS alone (`RSA_AES_KEY_WRAP_SHA_256` over PKCS#8) and does not expire there. It is a success only
    /// when the public key that KMS reports is that of the secret. If a step fails, the new key's deletion is scheduled, as by
    /// [`create`](Self::create); a future that is dropped half-way may leave it.
    ///
    /// KMS does not keep a copy from which it could restore imported material: keep your own, offline, or the key is as durable as one
    /// `DeleteImportedKeyMaterial`. A copy elsewhere can sign, too.
    ///
    /// Needs what [`create`](Self::create) needs, and `kms:GetParametersForImport` and `kms:ImportKeyMaterial`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::KeyUnsuitable`]: the new key is not [`NewKey::signing`].
    /// - [`ErrorKind::AddressMismatch`]: KMS reports another public key than the secret's.
    /// - Those of [`create`](Self::create).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use kms_signer::{fake::FakeKms, keys::{Keys, NewKey, Secret}};
    ///
    /// let keys = Keys::new(FakeKms::new().client());
    /// let secret = Secret::from_hex("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")?;
    /// let key = keys.import(NewKey::signing().alias("alias/deployer"), secret.clone()).await?;
    /// assert_eq!(key.address(), Some(secret.address()));
    /// # Ok::<_, kms_signer::Error>(()) }).unwrap();
    /// ```
    pub async fn import(&self, new: NewKey, secret: impl Into<Secret>) -> Result<KeyInfo> {
        let secret = secret.into();
        if new.spec != KeySpec::EccSecgP256K1 {
            let message =
                format!("a secp256k1 private key cannot be imported into a key of spec {}", new.spec.as_str());
            let error = Error::new(ErrorKind::KeyUnsuitable, Operation::ImportKeyMaterial, message);
            return Err(error.with_remedy("use NewKey::signing()"));
        }
        self.check_alias_is_free(&new).await?;
        let mut info = self.create_bare(&new, OriginType::External).await.map_err(|failed| failed.error)?;
        let key = info.reference();
        let imported = async {
            self.send_material(&key, Early::of(&new), &secret).await?;
            self.complete(&mut info, &new).await?;
            Ok::<_, Incomplete>(())
        };
        match imported.await {
            Ok(()) => Ok(info),
            Err(incomplete) => Err(self.give_up(&key, &new, incomplete).await.error),
        }
    }

    /// Sends the secret as the material of a key that waits for it, and proves that it has arrived.
    pub(super) async fn send_material(&self, key: &KeyRef, early: Early, secret: &Secret) -> Result<()> {
        let parameters = self.when_spread(early, || self.client.get_parameters_for_import(key)).await?;
        let missing = |field: &str| {
            let message = format!("the answer has no {field}");
            Error::new(ErrorKind::InvalidResponse, Operation::GetParametersForImport, message).with_key(key.as_ref())
        };
        let wrapping_key = parameters.public_key().ok_or_else(|| missing("PublicKey"))?;
        let token = parameters.import_token().ok_or_else(|| missing("ImportToken"))?;
        let wrapped = {
            let pkcs8 = secret.to_pkcs8_der()?;
            wrap::wrap(pkcs8.as_bytes(), wrapping_key.as_ref()).map_err(|error| error.with_key(key.as_ref()))?
        };
        self.when_spread(early, || self.client.import_key_material(key, token, &wrapped)).await?;
        self.prove_material(key, early.with_material(), secret).await
    }

    async fn prove_material(&self, key: &KeyRef, early: Early, secret: &Secret) -> Result<()> {
        let public = self.when_spread(early, || self.public_key(key, &KeySpec::EccSecgP256K1)).await?;
        let found = public.public_key.map(|public_key| public_key.address());
        if found == Some(secret.address()) {
            return Ok(());
        }
        let found = found.unwrap_or_default();
        let message = format!("KMS reports the public key of {found}, not that of the secret, {}", secret.address());
        let error = Error::new(ErrorKind::AddressMismatch, Operation::ImportKeyMaterial, message);
        Err(error.with_key(key.as_ref()).with_remedy("check that the endpoint is AWS KMS; do not use this key"))
    }
}
