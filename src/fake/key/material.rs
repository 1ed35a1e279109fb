//! What a key is made of: its spec, its key material, and the forms that go in and out.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use k256::{
    elliptic_curve::sec1::ToEncodedPoint,
    pkcs8::{self, DecodePrivateKey},
};

use crate::fake::{ecdsa, refusal::Refusal, symmetric::SymmetricKey};

/// What comes before the uncompressed point in a DER `SubjectPublicKeyInfo` (RFC 5480).
const SECP256K1_SPKI: &[u8] =
    &[0x30, 0x56, 0x30, 0x10, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 5, 0x2b, 0x81, 4, 0, 0x0a, 3, 0x42, 0];
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3,
    0x42, 0,
];
/// What comes before the 32 bytes of the public key (RFC 8410).
const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fake) enum Spec {
    Secp256k1,
    P256,
    Ed25519,
    Symmetric,
}

/// The types within erase their secrets when they are dropped.
#[derive(Clone)]
pub(in crate::fake) enum Material {
    Secp256k1(k256::SecretKey),
    P256(p256::SecretKey),
    Ed25519(Arc<Ed25519KeyPair>),
    Symmetric(SymmetricKey),
}

impl Spec {
    pub(in crate::fake) fn of(name: &str) -> Option<Self> {
        [Self::Secp256k1, Self::P256, Self::Ed25519, Self::Symmetric].into_iter().find(|spec| spec.name() == name)
    }

    pub(in crate::fake) fn name(self) -> &'static str {
        match self {
            Self::Secp256k1 => "ECC_SECG_P256K1",
            Self::P256 => "ECC_NIST_P256",
            Self::Ed25519 => "ECC_NIST_EDWARDS25519",
            Self::Symmetric => "SYMMETRIC_DEFAULT",
        }
    }

    pub(in crate::fake) fn signing_algorithms(self) -> &'static [&'static str] {
        match self {
            Self::Secp256k1 | Self::P256 => &["ECDSA_SHA_256"],
            Self::Ed25519 => &["ED25519_PH_SHA_512", "ED25519_SHA_512"],
            Self::Symmetric => &[],
        }
    }

    /// New, random key material.
    pub(in crate::fake) fn generate(self) -> Result<Material, Refusal> {
        Ok(match self {
            Self::Secp256k1 => Material::Secp256k1(ecdsa::random_secret()?),
            Self::P256 => Material::P256(ecdsa::random_secret()?),
            Self::Ed25519 => Material::Ed25519(Arc::new(random_ed25519()?)),
            Self::Symmetric => Material::Symmetric(SymmetricKey::generate()?),
        })
    }

    /// Key material as it is imported: a private key of this kind in PKCS#8 DER (RFC 5958), or the 32 bytes of a symmetric one.
    pub(in crate::fake) fn decode(self, der: &[u8]) -> Option<Material> {
        match self {
            Self::Secp256k1 => decode(der).map(Material::Secp256k1),
            Self::P256 => decode(der).map(Material::P256),
            // With or without the public key.
            Self::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Arc::new).map(Material::Ed25519),
            Self::Symmetric => SymmetricKey::from_slice(der).map(Material::Symmetric),
        }
    }
}

impl Material {
    pub(in crate::fake) fn spec(&self) -> Spec {
        match self {
            Self::Secp256k1(_) => Spec::Secp256k1,
            Self::P256(_) => Spec::P256,
            Self::Ed25519(_) => Spec::Ed25519,
            Self::Symmetric(_) => Spec::Symmetric,
        }
    }

    /// The DER `SubjectPublicKeyInfo` of the public key, where there is one.
    pub(in crate::fake) fn spki(&self) -> Option<Vec<u8>> {
        match self {
            Self::Secp256k1(secret) => {
                Some([SECP256K1_SPKI, secret.public_key().to_encoded_point(false).as_bytes()].concat())
            }
            Self::P256(secret) => Some([P256_SPKI, secret.public_key().to_encoded_point(false).as_bytes()].concat()),
            Self::Ed25519(pair) => Some([ED25519_SPKI, pair.public_key().as_ref()].concat()),
            Self::Symmetric(_) => None,
        }
    }

    /// What tells this material from any other.
    pub(in crate::fake) fn fingerprint(&self) -> Option<Vec<u8>> {
        match self {
            Self::Symmetric(key) => Some(key.fingerprint()),
            material => material.spki(),
        }
    }
}

/// A random Ed25519 key.
pub(in crate::fake) fn random_ed25519() -> Result<Ed25519KeyPair, Refusal> {
    Ed25519KeyPair::generate().map_err(|_| Refusal::internal("no Ed25519 key could be made"))
}

fn decode<K: for<'a> TryFrom<pkcs8::PrivateKeyInfo<'a>, Error = pkcs8::Error>>(der: &[u8]) -> Option<K> {
    K::from_pkcs8_der(der).ok()
}
