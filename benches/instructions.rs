//! What [`instructions.sh`](instructions.sh) counts: `instructions STAGE` prepares a stage and then runs it in [`counted`], as often
//! as it prints. Without a stage it lists them.

use std::{env, error::Error, hint::black_box};

use alloy_primitives::{Address, B256, Signature, U256, keccak256};
use k256::{
    ecdsa::{self, SigningKey},
    elliptic_curve::{Curve, bigint::Encoding},
};
use kms_signer::{
    PublicKey,
    signature::{recover, to_der},
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// After so many a key has a table.
const USES_TO_WARM: u8 = 40;
/// With so many it has none yet.
const USES_WHILE_COLD: u8 = 32;
/// Enough for an average of both parities and of high and low s.
const ROUNDS: u8 = 16;

/// A stage, and what prepares and runs it.
type Stage = (&'static str, fn() -> Outcome);

const STAGES: [Stage; 6] = [
    ("der", der),
    ("spki_to_address", spki_to_address),
    ("recover_cold", recover_cold),
    ("recover_warm", recover_warm),
    ("recover_mismatch", recover_mismatch),
    ("make_table", make_table),
];

fn main() -> Outcome {
    // cargo adds --bench.
    let Some(wanted) = env::args().skip(1).find(|arg| !arg.starts_with("--")) else {
        STAGES.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let (_, run) = STAGES.iter().find(|(name, _)| *name == wanted).ok_or("there is no such stage")?;
    run()
}

/// Reading 72 bytes of DER, whose s is n: refused after both integers were read.
fn der() -> Outcome {
    let order = U256::from_be_bytes(k256::Secp256k1::ORDER.to_be_bytes());
    let refused = to_der(&Signature::new(order - U256::ONE, order, false));
    let (key, digest) = (Key::new(1)?.public, B256::ZERO);
    run(&|_| recover(black_box(&refused), &digest, &key).is_err())
}

fn spki_to_address() -> Outcome {
    let keys = (0..ROUNDS).map(|number| Ok(Key::new(number)?.public.to_spki_der())).collect::<Outcome<Vec<_>>>()?;
    run(&|round| {
        let key = keys.get(round).and_then(|der| PublicKey::from_spki_der(black_box(der)).ok());
        key.is_some_and(|key| black_box(key.address()) != Address::ZERO)
    })
}

fn recover_cold() -> Outcome {
    recover_each(&Key::new(1)?)
}

fn recover_warm() -> Outcome {
    let key = Key::new(1)?;
    key.use_often(USES_TO_WARM)?;
    recover_each(&key)
}

/// With a table, whose answer does not fit, and then without.
fn recover_mismatch() -> Outcome {
    let key = Key::new(1)?;
    key.use_often(USES_TO_WARM)?;
    let signatures = key.signatures()?;
    run(&|round| {
        signatures.get(round).is_some_and(|(_, der)| recover(black_box(der), &B256::ZERO, &key.public).is_err())
    })
}

/// The one use of a key that makes its table; the generator's is there by then.
fn make_table() -> Outcome {
    Key::new(1)?.use_often(USES_TO_WARM)?;
    let key = Key::new(2)?;
    key.use_often(USES_WHILE_COLD)?;
    let (digest, der) = key.sign(0)?;
    println!("rounds: 1");
    if counted(&|_| recover(&der, black_box(&digest), &key.public).is_ok(), 1) {
        Ok(())
    } else {
        Err("it failed".into())
    }
}

fn recover_each(key: &Key) -> Outcome {
    let signatures = key.signatures()?;
    run(&|round| {
        signatures.get(round).is_some_and(|(digest, der)| recover(black_box(der), digest, &key.public).is_ok())
    })
}

fn run(what: &dyn Fn(usize) -> bool) -> Outcome {
    println!("rounds: {ROUNDS}");
    if counted(what, ROUNDS.into()) { Ok(()) } else { Err("a round failed".into()) }
}

/// Nothing else is counted. Tells whether every round did what it should.
#[inline(never)]
fn counted(what: &dyn Fn(usize) -> bool, rounds: usize) -> bool {
    (0..rounds).all(|round| black_box(what(black_box(round))))
}

/// The same in every run.
struct Key {
    secret: SigningKey,
    public: PublicKey,
}

impl Key {
    fn new(number: u8) -> Outcome<Self> {
        let secret = SigningKey::from_slice(keccak256([number, 1]).as_slice()).map_err(text)?;
        let public = PublicKey::from_sec1(secret.verifying_key().to_encoded_point(false).as_bytes())?;
        Ok(Self { secret, public })
    }

    /// As KMS would answer: s is high for every other digest.
    fn sign(&self, number: u8) -> Outcome<(B256, Vec<u8>)> {
        let digest = keccak256([number, 2]);
        let (low, _) = self.secret.sign_prehash_recoverable(digest.as_slice()).map_err(text)?;
        let (r, s) = low.split_scalars();
        let given = if number.is_multiple_of(2) { low } else { ecdsa::Signature::from_scalars(r, -s).map_err(text)? };
        Ok((digest, given.to_der().as_bytes().to_vec()))
    }

    fn signatures(&self) -> Outcome<Vec<(B256, Vec<u8>)>> {
        (0..ROUNDS).map(|number| self.sign(number)).collect()
    }

    fn use_often(&self, times: u8) -> Outcome {
        let (digest, der) = self.sign(0)?;
        for _ in 0..times {
            recover(&der, &digest, &self.public)?;
        }
        Ok(())
    }
}

/// Without its feature `std`, k256's error is none of `std`'s.
fn text(error: ecdsa::Error) -> String {
    error.to_string()
}
