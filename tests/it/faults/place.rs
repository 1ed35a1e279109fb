//! Where a fault happens: one FakeKms with one key, one client, and the call that meets the fault.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};
use alloy_signer::Signer;
use kms_signer::{
    Error, ErrorKind, KeyArn, KmsClient, KmsSigner, Operation,
    aws_sdk_kms::{
        Client,
        config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut},
        error::BoxError,
    },
    fake::{FakeKms, Fault},
};

use super::{
    table::{Expected, Make, Row},
    wire::Server,
};
use crate::ours;

pub(super) const DIGEST: B256 = B256::repeat_byte(0x5a);
const ALIAS: &str = "alias/relayer";
/// The time of a client that tries once.
const SHORT: Duration = Duration::from_secs(2);
/// The default, which the patient client has.
const DEFAULT: Duration = Duration::from_secs(10);

/// Meets the fault with a client that tries once and with a default one, and compares.
pub(super) async fn check(row: &Row, operation: Operation, expected: Expected) -> Result<(), String> {
    let once = meet(&row.make, operation, Patience::Once).await;
    let patient = meet(&row.make, operation, Patience::Default).await;
    let mut told = format!("{} at {operation}: once {once:?}, patient {patient:?}", row.fault);
    let seen = match &once.error {
        None => Expected::Accepted,
        Some(error) => Expected::Fails {
            kind: error.kind,
            may_have_signed: error.may_have_signed,
            retryable: error.retryable,
            survived: patient.error.is_none(),
        },
    };
    let mut wrong = seen != expected || (seen == Expected::Accepted && patient.error.is_some());
    if let (Some(once), Some(patient)) = (&once.error, &patient.error) {
        // What is reported is reported alike, however often it was tried.
        wrong |= (once.kind, once.may_have_signed) != (patient.kind, patient.may_have_signed);
    }
    for (met, timeout) in [(&once, SHORT), (&patient, DEFAULT)] {
        if met.took > timeout * 3 {
            told += &format!(", {:?} is more than three times {timeout:?}", met.took);
            wrong = true;
        }
    }
    if wrong { Err(format!("{told}\n    expected {expected:?}")) } else { Ok(()) }
}

#[derive(Clone, Copy)]
enum Patience {
    Once,
    Default,
}

#[derive(Debug)]
struct Met {
    error: Option<Facts>,
    took: Duration,
}

#[derive(Debug)]
struct Facts {
    kind: ErrorKind,
    may_have_signed: bool,
    retryable: bool,
    #[expect(dead_code, reason = "shown where a row fails")]
    text: String,
}

async fn meet(make: &Make, operation: Operation, patience: Patience) -> Met {
    let place = Place::new(make).await;
    let client = match patience {
        Patience::Once => place.client.clone().with_max_attempts(1).with_operation_timeout(SHORT),
        Patience::Default => place.client.clone(),
    };
    let reference = if matches!(make, Make::Retargeted { .. }) { ALIAS } else { place.key.as_ref() };
    let builder = KmsSigner::builder(client, reference).expected_address(place.address);
    let builder = if matches!(make, Make::Retargeted { as_given: true }) { builder.as_given() } else { builder };
    let signer = builder.clone().connect().await.unwrap();

    place.spoil(make, operation).await;
    let call = async || match operation {
        Operation::Sign => sign(&signer).await,
        _ => builder.clone().connect().await.map(drop).map_err(|error| facts(&error, operation, reference)),
    };
    let started = Instant::now();
    let result = call().await;
    let took = started.elapsed();
    assert!(!place.is_waiting(), "{make:?} at {operation}: the fault was not met");

    // Whatever it was, it is over, and the same client goes on.
    place.mend(make).await;
    if let Err(facts) = call().await {
        panic!("{make:?} at {operation}: the next call fails, too: {facts:?}");
    }
    Met { error: result.err(), took }
}

/// Signs, and lets nothing pass that is not this key's signature.
async fn sign(signer: &KmsSigner) -> Result<(), Facts> {
    let signature =
        signer.sign_hash(&DIGEST).await.map_err(|error| facts(ours(&error), Operation::Sign, signer.key().as_ref()))?;
    assert_eq!(signature.recover_address_from_prehash(&DIGEST).unwrap(), signer.address(), "a wrong signature");
    assert!(signature.normalize_s().is_none(), "a high s");
    Ok(())
}

fn facts(error: &Error, operation: Operation, key: &str) -> Facts {
    let text = error.to_string();
    // The address is compared where no request is under way any more.
    let operation = if error.kind() == ErrorKind::AddressMismatch { Operation::Connect } else { operation };
    assert_eq!(error.operation(), operation, "{text}");
    assert_eq!(error.key(), Some(key), "{text}");
    assert!(!text.contains('\n') && text.len() < 700, "{text}");
    Facts { kind: error.kind(), may_have_signed: error.may_have_signed(), retryable: error.is_retryable(), text }
}

struct Place {
    fake: FakeKms,
    key: KeyArn,
    address: Address,
    client: KmsClient,
    server: Option<Server>,
    detour: Detour,
}

impl Place {
    async fn new(make: &Make) -> Self {
        let fake = FakeKms::new();
        let key = fake.create_key().unwrap();
        fake.alias(ALIAS, &key).unwrap();
        let address = KmsSigner::new(fake.client(), &key, None).await.unwrap().address();
        let detour = Detour::default();
        let (client, server) = if matches!(make, Make::Wire(_) | Make::Refused) {
            let server = Server::start(fake.clone()).await;
            let client = KmsClient::builder()
                .for_key(&key)
                .endpoint_url(format!("http://{}", server.address))
                .static_credentials("fake", "fake", None)
                .build()
                .await
                .unwrap();
            let config = client.sdk().config().to_builder().interceptor(detour.clone()).build();
            (Client::from_conf(config).into(), Some(server))
        } else {
            (fake.client().into(), None)
        };
        Self { fake, key, address, client, server, detour }
    }

    async fn spoil(&self, make: &Make, operation: Operation) {
        let inject = |fault: Fault| self.fake.inject(fault.on(&operation.to_string()));
        let sdk = self.fake.client();
        match make {
            Make::Fault(fault) => inject(fault.clone()),
            Make::KeyId(answered) => inject(Fault::key_id(&answered(&self.key))),
            Make::OtherPublicKey => {
                let other = self.fake.create_key().unwrap();
                let answer = sdk.get_public_key().key_id(other.as_ref()).send().await.unwrap();
                inject(Fault::bad_spki(answer.public_key.unwrap().into_inner()));
            }
            Make::OtherDigest => {
                let der = super::bits::sign(&self.fake, self.key.as_ref(), B256::repeat_byte(1)).await;
                inject(Fault::bad_signature(der));
            }
            Make::Wire(wire) => self.server.as_ref().unwrap().break_next(*wire),
            Make::Refused => self.detour.0.store(true, Ordering::SeqCst),
            Make::Clock(offset) => self.fake.set_clock(*offset),
            Make::Disabled => drop(sdk.disable_key().key_id(self.key.as_ref()).send().await.unwrap()),
            Make::Doomed => drop(sdk.schedule_key_deletion().key_id(self.key.as_ref()).send().await.unwrap()),
            Make::Retargeted { .. } => self.fake.alias(ALIAS, &self.fake.create_key().unwrap()).unwrap(),
        }
    }

    async fn mend(&self, make: &Make) {
        let sdk = self.fake.client();
        match make {
            Make::Disabled => drop(sdk.enable_key().key_id(self.key.as_ref()).send().await.unwrap()),
            Make::Doomed => {
                sdk.cancel_key_deletion().key_id(self.key.as_ref()).send().await.unwrap();
                sdk.enable_key().key_id(self.key.as_ref()).send().await.unwrap();
            }
            Make::Retargeted { .. } => self.fake.alias(ALIAS, &self.key).unwrap(),
            // The others happen once, and a clock that is off is known from then on.
            _ => {}
        }
    }

    /// Whether the fault is still to come. FakeKms tells it by how many it has queued.
    fn is_waiting(&self) -> bool {
        self.detour.0.load(Ordering::SeqCst)
            || self.server.as_ref().is_some_and(Server::is_waiting)
            || !format!("{:?}", self.fake).contains("faults: 0")
    }
}

/// Sends one request to a port where nobody listens.
#[derive(Clone, Debug, Default)]
struct Detour(Arc<AtomicBool>);

impl Intercept for Detour {
    fn name(&self) -> &'static str {
        "Detour"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.swap(false, Ordering::SeqCst) {
            context.request_mut().set_uri("http://127.0.0.1:1/")?;
        }
        Ok(())
    }
}
