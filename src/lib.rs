//! An [alloy] signer whose private key lives in AWS KMS and never leaves it.
//!
//! Every call has a deadline, every signature is verified against the known key before you get it, and every error says
//! what was done, to which key, what AWS answered and what to do.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use alloy_network::EthereumWallet;
//! use kms_signer::{KmsSigner, fake::FakeKms};
//!
//! // A KMS in this process. In a program: KmsSigner::from_env("alias/relayer").await?
//! let fake = FakeKms::new();
//! let signer = KmsSigner::new(fake.client(), fake.create_key()?, Some(1)).await?;
//! let wallet = EthereumWallet::from(signer);
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! # Main types
//!
//! - [`KmsSigner`]: implements alloy's [`Signer`] and [`TxSigner`]. Connecting is one `GetPublicKey`, signing one `Sign`.
//! - [`KmsClient`]: the SDK client under it, with deadlines, retries, limits and other Regions to turn to. From your own [`aws_sdk_kms::Client`], from the
//!   environment, or from a [builder](KmsClientBuilder), with a [role](AssumeRole) where you have one.
//! - [`keys`]: create, list, import, replicate, grant and retire keys, and load many signers; [`iam`]: the least-privilege policies for that.
//! - [`guard`]: decides what may be signed before KMS is asked, bounds what is spent, and keeps an audit file, around any alloy signer.
//! - [`seal`]: symmetric keys that encrypt secrets, and local signing keys that lie sealed by one.
//! - [`Observer`]: is told of every call; [`TracingObserver`] and [`MetricsObserver`] pass it on.
//! - [`PublicKey`]: whose key it is; from what KMS returns, from PEM, or from SEC 1 bytes. [`KeyRef`]: how a key is named.
//! - [`Error`] and [`ErrorKind`]; [`Error::find`] gets ours out of alloy's.
//! - [`signature`]: from KMS's DER to Ethereum's signature, and encoders.
//! - [`fake`]: a KMS in your process, for tests and first steps.
//! - [`guide`]: what goes wrong on the way, and what becomes of it; set-ups from end to end, for Hyperlane, Crossmint, hosted wallets
//!   and Infisical.
//!
//! # What it does not do
//!
//! - It does not hash or prefix what [`sign_hash`](alloy_signer::Signer::sign_hash) is given. KMS signs those 32 bytes.
//! - It does not manage nonces, gas or retries of transactions: that is the provider's business.
//! - [`KmsSigner`] does not look at what it signs. Whoever can call it can sign anything with the key; a [`guard::Guarded`] one looks first.
//! - It does not hold, export or cache private keys, except for the moment of an import, and in a [`seal::SealedSigner`]. FakeKms does, in memory, and is not for keys with value.
//!
//! # Cookbook
//!
//! Refuse to start on the wrong key, and ask KMS whether this process may sign before it matters:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # use kms_signer::{KmsSigner, fake::FakeKms};
//! # let fake = FakeKms::new();
//! # let key = fake.create_key()?;
//! # let expected = KmsSigner::new(fake.client(), &key, None).await?.address();
//! let signer = KmsSigner::builder(fake.client(), key).chain_id(1).expected_address(expected).connect().await?;
//! signer.preflight().await?;
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! Start without any request, from a public key you have, for instance from the console:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # use kms_signer::{KmsSigner, PublicKey, fake::FakeKms};
//! # let fake = FakeKms::new();
//! # let key = fake.create_key()?;
//! # let pem = KmsSigner::new(fake.client(), &key, None).await?.public_key().to_spki_pem();
//! # let before = fake.requests().len();
//! let public_key = PublicKey::from_spki_pem(&pem)?;
//! let signer = KmsSigner::builder(fake.client(), key).public_key(public_key).connect().await?;
//! # assert_eq!(fake.requests().len(), before);
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! Tell apart what failed, through alloy's error:
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # use kms_signer::{KmsSigner, fake::{FakeKms, Fault}};
//! use alloy_signer::Signer;
//! use kms_signer::{Error, ErrorKind};
//!
//! # let fake = FakeKms::new();
//! # let signer = KmsSigner::new(fake.client(), fake.create_key()?, None).await?;
//! # fake.inject(Fault::error("AccessDeniedException", 400, "not authorized"));
//! let error = signer.sign_message(b"hello").await.unwrap_err();
//! match Error::find(&error).map(Error::kind) {
//!     Some(ErrorKind::AccessDenied) => eprintln!("{error}"),
//!     other => panic!("{other:?}"),
//! }
//! # Ok::<_, kms_signer::Error>(()) }).unwrap();
//! ```
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `aws` | yes | [`KmsClient`] and [`KmsSigner`] over `aws-sdk-kms`, whose default features stay off |
//! | `connect` | yes | `aws-config`: environment, profiles, roles, web identity, container and instance credentials; one TLS and HTTP stack |
//! | `sso` | yes | SSO and `aws login` sessions for developers' machines |
//! | `network` | yes | [`TxSigner`], conversion into `EthereumWallet`, EIP-7702 authorisations |
//! | `eip712` | no | typed data, under the same name as alloy's feature |
//! | `keys` | no | [`keys`]: create, ensure, list, import, replicate, grant and retire keys, load many signers; [`iam`]: least-privilege policies |
//! | `guard` | no | [`guard`]: rules for what may be signed, spending limits, an audit trail, around any alloy signer; implies `eip712` and `network` |
//! | `seal` | no | [`seal`]: encrypt and decrypt with symmetric keys, envelopes for larger secrets, local signing keys that lie sealed; implies `keys` |
//! | `tezos` | no | [`tezos`]: P-256 and secp256k1 keys as `tz3…` and `tz2…`, what a request is from its bytes, rules, high watermarks |
//! | `solana` | no | [`solana`]: Ed25519 keys as Solana's accounts |
//! | `stellar` | no | [`stellar`]: Ed25519 keys as Stellar's accounts |
//! | `tracing` | no | [`TracingObserver`]: KMS calls as events of `tracing` |
//! | `metrics` | no | [`MetricsObserver`]: KMS calls through the `metrics` facade |
//! | `serde` | no | `Serialize` and `Deserialize` for key references, public keys, key records, Solana's and Stellar's addresses, and Tezos's chain ids, keys, hashes and signatures |
//! | `fake-kms` | no | [`fake`]: FakeKms, for tests and demos only |
//! | `full` | no | all of the above |
//!
//! With none of them the pure core remains: [`PublicKey`], [`KeyRef`], [`signature`] and [`Error`], without AWS, tokio or a
//! source of random numbers, so that it builds for `wasm32-unknown-unknown`. Features only add.
//!
//! The crates whose types appear in this one's interface are re-exported. If the compiler says that "the trait `TxSigner` is not
//! implemented", two versions of alloy have met: `cargo tree -d` shows them.
//!
//! [alloy]: https://docs.rs/alloy
//! [`Signer`]: alloy_signer::Signer
//! [`TxSigner`]: alloy_network::TxSigner

#![cfg_attr(docsrs, feature(doc_cfg))]

mod asn1;
#[cfg(any(feature = "tezos", feature = "solana", feature = "stellar"))]
mod chains;
#[cfg(feature = "aws")]
mod client;
mod error;
#[cfg(feature = "fake-kms")]
pub mod fake;
#[cfg(feature = "guard")]
pub mod guard;
pub mod guide;
#[cfg(feature = "keys")]
pub mod iam;
mod key_ref;
#[cfg(feature = "keys")]
pub mod keys;
#[cfg(feature = "aws")]
mod observe;
mod public_key;
#[cfg(feature = "seal")]
pub mod seal;
pub mod signature;
#[cfg(feature = "aws")]
mod signer;

pub use alloy_primitives;
#[cfg(feature = "network")]
pub use {alloy_consensus, alloy_eips, alloy_network};
#[cfg(feature = "guard")]
pub use {alloy_dyn_abi, alloy_sol_types};
#[cfg(feature = "aws")]
pub use {alloy_signer, aws_sdk_kms};
#[cfg(feature = "connect")]
pub use {
    aws_config,
    client::{AssumeRole, KmsClientBuilder},
};

#[cfg(any(feature = "solana", feature = "stellar"))]
pub use crate::chains::ed25519;
#[cfg(feature = "solana")]
pub use crate::chains::solana;
#[cfg(feature = "stellar")]
pub use crate::chains::stellar;
#[cfg(feature = "tezos")]
pub use crate::chains::tezos;
#[cfg(feature = "metrics")]
pub use crate::observe::MetricsObserver;
#[cfg(feature = "tracing")]
pub use crate::observe::TracingObserver;
#[cfg(feature = "guard")]
pub use crate::observe::{GuardEvent, Stage};
#[cfg(feature = "aws")]
pub use crate::{
    client::KmsClient,
    observe::{CallEvent, CredentialsEvent, Event, Observer, Outcome, RegionEvent},
    signer::{KmsSigner, KmsSignerBuilder},
};
pub use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::{AliasArn, AliasName, KeyArn, KeyId, KeyRef},
    public_key::PublicKey,
};

/// The README's examples, run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
