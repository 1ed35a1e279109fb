//! What each stage of the two flows costs.
//!
//! ```text
//! cargo bench                                 # all groups
//! cargo bench --bench stages -- recovery      # one group
//! ```
//!
//! Some stages are private. They are measured through the public functions that pass them, with inputs that end
//! early or differ in that stage only; then the difference of two lines is the stage. Where it is lost in the noise the
//! stage costs next to nothing.
//!
//! | group | what its lines measure |
//! |---|---|
//! | `spki` | `PublicKey` from 88 bytes of DER and from PEM. Both check the point, as `from_sec1` does alone: subtract it. |
//! | `address` | Keccak-256 of the point, the point's serialisation included. |
//! | `der` | `to_der`, and reading: `recover` of 72 bytes whose s is n, which is refused after both integers were read. It includes making the error; `refused_at_once` (no bytes) is that error alone: subtract it. |
//! | `low_s` | `recover` of (r, s) and of (r, n − s), the same signature twice and by a key with a table: the difference is the negation. |
//! | `recovery` | `recover` of a low-S signature: DER and low-S check included, which are small beside it. `cold` is one pass, by a key that is not used often yet; `warm` is by the key's table; `make_table` is the one call that makes it, a cold one included. `warm_mismatch`, a signature of another digest, costs both ways and an error. |
//! | `pipeline` | DER to the 65 bytes that Ethereum takes, by keys with tables (most of them the smaller ones), and a key from SPKI to address: each over 64 different inputs. |
//! | `sign_hash` | One `Signer::sign_hash` over FakeKms on a current-thread runtime, and the bare SDK's `Sign` over the same. Both include FakeKms's own signing. |

use std::{error::Error, hint::black_box};

use alloy_primitives::{B256, U256, keccak256};
use alloy_signer::Signer;
use aws_sdk_kms::{
    primitives::Blob,
    types::{MessageType, SigningAlgorithmSpec},
};
use criterion::{BatchSize, Criterion, Throughput};
use k256::{
    ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner},
    elliptic_curve::{Curve, bigint::Encoding},
};
use kms_signer::{
    KmsSigner, PublicKey,
    fake::FakeKms,
    signature::{V, recover, to_der, to_eth_bytes},
};
use tokio::runtime::{Builder, Runtime};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// How many different keys or signatures `pipeline` goes through.
const INPUTS: u8 = 64;
/// So often a key is used without a table; the next use makes it.
const USES_WHILE_COLD: usize = 32;

fn main() -> Outcome {
    let mut criterion = Criterion::default().configure_from_args();
    let samples = (0..INPUTS).map(Sample::new).collect::<Outcome<Vec<_>>>()?;
    let [sample, ..] = samples.as_slice() else { return Err("there is no sample".into()) };

    spki(&mut criterion, &sample.key);
    address(&mut criterion, &sample.key);
    der(&mut criterion, sample)?;
    low_s(&mut criterion, sample)?;
    recovery(&mut criterion, sample)?;
    pipeline(&mut criterion, &samples)?;
    sign_hash(&mut criterion)?;

    criterion.final_summary();
    Ok(())
}

/// A key, a digest and a signature, the same in every run.
struct Sample {
    key: PublicKey,
    digest: B256,
    /// As KMS would answer: s is high for every other sample.
    der: Vec<u8>,
    low: Vec<u8>,
    high: Vec<u8>,
}

impl Sample {
    fn new(number: u8) -> Outcome<Self> {
        let secret = SigningKey::from_slice(keccak256([number, 1]).as_slice())?;
        let key = PublicKey::from_sec1(secret.verifying_key().to_encoded_point(false).as_bytes())?;
        let digest = keccak256([number, 2]);
        let signature: Signature = secret.sign_prehash(digest.as_slice())?;
        let signature = signature.normalize_s().unwrap_or(signature);
        let (r, s) = signature.split_scalars();
        let low = signature.to_der().as_bytes().to_vec();
        let high = Signature::from_scalars(r, -s)?.to_der().as_bytes().to_vec();
        let der = if number.is_multiple_of(2) { low.clone() } else { high.clone() };
        Ok(Self { key, digest, der, low, high })
    }
}

fn spki(criterion: &mut Criterion, key: &PublicKey) {
    let (der, pem, sec1) = (key.to_spki_der(), key.to_spki_pem(), key.to_sec1_uncompressed());
    let mut group = criterion.benchmark_group("spki");
    group.bench_function("from_spki_der", |b| b.iter(|| PublicKey::from_spki_der(black_box(&der))));
    group.bench_function("from_spki_pem", |b| b.iter(|| PublicKey::from_spki_pem(black_box(&pem))));
    group.bench_function("from_sec1", |b| b.iter(|| PublicKey::from_sec1(black_box(&sec1))));
    group.bench_function("to_spki_der", |b| b.iter(|| black_box(key).to_spki_der()));
    group.finish();
}

fn address(criterion: &mut Criterion, key: &PublicKey) {
    let mut group = criterion.benchmark_group("address");
    group.bench_function("address", |b| b.iter(|| black_box(key).address()));
    group.finish();
}

fn der(criterion: &mut Criterion, sample: &Sample) -> Outcome {
    let signature = recover(&sample.low, &sample.digest, &sample.key)?;
    let refused = s_is_the_order();
    if recover(&refused, &sample.digest, &sample.key).is_ok() {
        return Err("an s that is not below the order was accepted".into());
    }
    let read = |der: &[u8]| recover(black_box(der), &sample.digest, &sample.key);
    let mut group = criterion.benchmark_group("der");
    group.bench_function("to_der", |b| b.iter(|| to_der(black_box(&signature))));
    group.bench_function("refused_at_the_end", |b| b.iter(|| read(&refused)));
    group.bench_function("refused_at_once", |b| b.iter(|| read(&[])));
    group.finish();
    Ok(())
}

/// The longest DER, 72 bytes, that is wrong only in its last integer.
fn s_is_the_order() -> Vec<u8> {
    let order = U256::from_be_bytes(k256::Secp256k1::ORDER.to_be_bytes());
    to_der(&alloy_primitives::Signature::new(order - U256::ONE, order, false))
}

fn low_s(criterion: &mut Criterion, sample: &Sample) -> Outcome {
    let read = |der: &[u8]| recover(black_box(der), &sample.digest, &sample.key);
    if read(&sample.low)?.s() != read(&sample.high)?.s() {
        return Err("the high and the low form are not one signature".into());
    }
    warm(sample)?;
    let mut group = criterion.benchmark_group("low_s");
    group.bench_function("recover_low", |b| b.iter(|| read(&sample.low)));
    group.bench_function("recover_high", |b| b.iter(|| read(&sample.high)));
    group.finish();
    Ok(())
}

fn recovery(criterion: &mut Criterion, sample: &Sample) -> Outcome {
    let other = keccak256(b"another digest");
    recover(&sample.low, &sample.digest, &sample.key)?;
    if recover(&sample.low, &other, &sample.key).is_ok() {
        return Err("a signature of another digest was accepted".into());
    }
    let fresh = || PublicKey::from_sec1(&sample.key.to_sec1_uncompressed());
    let about_to_warm = || {
        let key = fresh()?;
        for _ in 0..USES_WHILE_COLD {
            recover(&sample.low, &sample.digest, &key)?;
        }
        Ok::<_, kms_signer::Error>(key)
    };
    let once = |key: &_| recover(&sample.low, black_box(&sample.digest), key).is_ok();
    warm(sample)?;
    let mut group = criterion.benchmark_group("recovery");
    group.bench_function("cold", |b| {
        b.iter_batched_ref(fresh, |key| key.as_ref().map(once).ok(), BatchSize::SmallInput)
    });
    group.bench_function("warm", |b| b.iter(|| once(&sample.key)));
    group.bench_function("warm_mismatch", |b| b.iter(|| recover(&sample.low, black_box(&other), &sample.key)));
    // One at a time, as so many keys at once would have no more tables.
    group.bench_function("make_table", |b| {
        b.iter_batched_ref(about_to_warm, |key| key.as_ref().map(once).ok(), BatchSize::PerIteration);
    });
    group.finish();
    Ok(())
}

/// Uses the key until it has a table.
fn warm(sample: &Sample) -> Outcome {
    for _ in 0..=USES_WHILE_COLD {
        recover(&sample.low, &sample.digest, &sample.key)?;
    }
    Ok(())
}

fn pipeline(criterion: &mut Criterion, samples: &[Sample]) -> Outcome {
    let keys: Vec<_> = samples.iter().map(|sample| sample.key.to_spki_der()).collect();
    for sample in samples {
        recover(&sample.der, &sample.digest, &sample.key)?;
        warm(sample)?;
    }
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(1));
    let mut next = samples.iter().cycle();
    group.bench_function("signature", |b| {
        b.iter_batched(
            || next.next(),
            |sample| {
                let Sample { der, digest, key, .. } = sample?;
                recover(der, digest, key).ok().map(|signature| to_eth_bytes(&signature, V::Legacy))
            },
            BatchSize::SmallInput,
        );
    });
    let mut next = keys.iter().cycle();
    group.bench_function("address", |b| {
        b.iter_batched(
            || next.next(),
            |key| PublicKey::from_spki_der(key?).ok().map(|key| key.address()),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    Ok(())
}

fn sign_hash(criterion: &mut Criterion) -> Outcome {
    let fake = FakeKms::new();
    let key = fake.create_key()?;
    let sdk = fake.client();
    let runtime: Runtime = Builder::new_current_thread().enable_all().build()?;
    let signer = runtime.block_on(KmsSigner::new(&sdk, &key, None))?;
    let digest = keccak256(b"sign_hash");
    let request = sdk
        .sign()
        .key_id(key.to_string())
        .message(Blob::new(digest.as_slice()))
        .message_type(MessageType::Digest)
        .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
    runtime.block_on(signer.sign_hash(&digest))?;
    runtime.block_on(request.clone().send())?;

    let mut group = criterion.benchmark_group("sign_hash");
    group.throughput(Throughput::Elements(1));
    group.bench_function("kms_signer", |b| b.iter(|| runtime.block_on(signer.sign_hash(black_box(&digest)))));
    group.bench_function("bare_sdk", |b| b.iter(|| runtime.block_on(request.clone().send()).is_ok()));
    group.finish();
    Ok(())
}
