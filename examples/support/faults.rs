//! What goes wrong at random in a KMS of this process.

use core::time::Duration;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use alloy_primitives::{Signature, hex};
use kms_signer::{
    fake::{FakeKms, Fault},
    signature::to_der,
};

/// How many requests FakeKms keeps.
const LOG_CAPACITY: usize = 10_000;

/// Of so many transient faults one is a throttled answer. Each cuts the client's rate; more of them would measure only that.
const THROTTLING_SHARE: u32 = 200;

/// A signature with r = s = 1.
const ONES: [u8; 8] = hex!("3006020101020101");
/// A signature with r = s = 0, which proves nothing about any key.
const ZEROS: [u8; 8] = hex!("3006020100020100");

/// Faults for a share of the requests.
pub(crate) struct Faults {
    kms: FakeKms,
    adversarial: Share,
    transient: Share,
    /// One that was made earlier, to be given for another digest.
    earlier: Mutex<Option<Signature>>,
}

struct Share {
    rate: f64,
    injected: AtomicU64,
}

impl Faults {
    /// Wrong answers at the rate `adversarial` and answers that do not come at the rate `transient`, each from 0 to 1.
    pub(crate) fn new(kms: FakeKms, adversarial: f64, transient: f64) -> Self {
        Self { kms, adversarial: Share::new(adversarial), transient: Share::new(transient), earlier: Mutex::default() }
    }

    /// Injects a fault or two for the next request, perhaps; else a good answer that takes its time, as KMS's do.
    ///
    /// FakeKms answers at once. Without the pauses no two requests would be under way on a thread, and no deadline would be kept.
    pub(crate) fn inject(&self) {
        let (wrong, none) = (self.adversarial.comes(), self.transient.comes());
        if wrong {
            self.kms.inject(self.wrong_answer().on("Sign"));
        }
        if none {
            self.kms.inject(no_answer().on("Sign"));
        }
        if !wrong && !none {
            self.kms.inject(Fault::latency(Duration::from_millis(fastrand::u64(1..=20))).on("Sign"));
        }
    }

    /// A good signature, which may come again.
    pub(crate) fn remember(&self, signature: Signature) {
        *self.earlier.lock().unwrap_or_else(PoisonError::into_inner) = Some(signature);
    }

    /// How many there were: wrong answers, and answers that did not come.
    pub(crate) fn injected(&self) -> (u64, u64) {
        (self.adversarial.injected.load(Relaxed), self.transient.injected.load(Relaxed))
    }

    /// Fills the log of requests, so that it does not grow any more when memory is measured.
    pub(crate) async fn fill_log(&self, key: &str) {
        for number in 0..LOG_CAPACITY {
            let body = format!(
                r#"{{"KeyId":"{key}","Message":"{number:044}","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256"}}"#
            );
            // It names no operation and is refused.
            self.kms.handle(axum::http::Request::new(body.into())).await;
        }
    }

    fn wrong_answer(&self) -> Fault {
        let earlier = *self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        match fastrand::u8(..18) {
            0 => Fault::other_key(),
            1 => Fault::flipped_bit(),
            2 => Fault::bad_signature(earlier.map_or(ONES.to_vec(), |signature| to_der(&signature))),
            3 => Fault::bad_signature(ONES),
            4 => Fault::bad_signature(ZEROS),
            5 => Fault::bad_signature(core::array::from_fn::<u8, 71, _>(|_| fastrand::u8(..))),
            6 => Fault::bad_signature([]),
            7 => Fault::set_field("Signature", "not base64"),
            8 => Fault::key_id("arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"),
            9 => Fault::set_field("SigningAlgorithm", "ECDSA_SHA_512"),
            10 => Fault::missing_field("Signature"),
            11 => Fault::missing_field("KeyId"),
            12 => Fault::missing_field("SigningAlgorithm"),
            13 => Fault::garbage_body(),
            14 => Fault::truncated_body(),
            15 => Fault::empty_body(),
            16 => Fault::response(200, "application/x-amz-json-1.1", "{}"),
            _ => Fault::response(200, "text/html", "<html>Please log in</html>"),
        }
    }
}

impl Share {
    fn new(rate: f64) -> Self {
        Self { rate, injected: AtomicU64::new(0) }
    }

    fn comes(&self) -> bool {
        let comes = fastrand::f64() < self.rate;
        self.injected.fetch_add(comes.into(), Relaxed);
        comes
    }
}

fn no_answer() -> Fault {
    if fastrand::u32(..THROTTLING_SHARE) == 0 {
        return Fault::error("ThrottlingException", 400, "Rate exceeded");
    }
    match fastrand::u8(..12) {
        0 => Fault::error("KMSInternalException", 500, "Internal error"),
        1 => Fault::error("DependencyTimeoutException", 500, "Timed out"),
        2 => Fault::error("KeyUnavailableException", 500, "Unavailable"),
        3 => Fault::error("ServiceUnavailable", 503, "Unavailable"),
        4 => Fault::status(500),
        5 => Fault::status(502),
        6 => Fault::status(503),
        7 => Fault::status(504),
        8 => Fault::disconnect(),
        9 => Fault::refuse(),
        10 => Fault::stall(),
        _ => Fault::latency(Duration::from_millis(fastrand::u64(100..=800))),
    }
}
