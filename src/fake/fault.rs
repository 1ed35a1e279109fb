//! What can go wrong on the way to KMS, in KMS and on the way back, by script.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{ecdsa::Shape, refusal::Refusal};

/// Something that goes wrong with the next request that it matches.
///
/// Faults are queued with [`FakeKms::inject`](super::FakeKms::inject). A request takes one: the first in the queue that
/// is [`on`](Self::on) its operation. A fault serves one request, unless it says [`times`](Self::times) or
/// [`forever`](Self::forever).
///
/// ```
/// use kms_signer::fake::{FakeKms, Fault};
///
/// let kms = FakeKms::new();
/// kms.inject(Fault::error("ThrottlingException", 400, "Rate exceeded").on("Sign").times(2));
/// kms.inject(Fault::disconnect());
/// ```
///
/// # Connection faults
///
/// [`stall`](Self::stall), [`disconnect`](Self::disconnect) and [`refuse`](Self::refuse) are not responses. They act on
/// requests through [`FakeKms::client`](super::FakeKms::client) only;
/// [`FakeKms::handle`](super::FakeKms::handle) leaves them queued.
///
/// # What was done
///
/// After [`error`](Self::error), [`status`](Self::status), [`response`](Self::response) and [`refuse`](Self::refuse)
/// the request was not carried out. With every other fault it was, and what goes wrong is its answer: a key may have
/// been created, a signature made.
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    effect: Effect,
    operation: Option<String>,
    /// How many requests are left to it; none for ever.
    left: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Effect {
    Connection(Broken),
    Response(Spoilt),
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Broken {
    Stalled,
    Reset,
    Refused,
}

/// What is wrong with a response.
#[derive(Clone, Debug)]
pub(super) enum Spoilt {
    Late(Duration),
    Error(Refusal),
    Status(u16),
    Response { status: u16, content_type: String, body: Bytes },
    Truncated,
    Garbage,
    Empty,
    Without(String),
    With { name: String, value: String },
    Signature(Shape),
    Unseen(usize),
    Creating(usize),
    Short(usize),
}

impl Fault {
    /// KMS refuses: an error code such as `ThrottlingException`, an HTTP status (400 for most of KMS's errors, 500 for
    /// `KMSInternalException`) and a message.
    ///
    /// A status that HTTP does not have (below 100 or above 999) is sent as 500.
    pub fn error(code: &str, status: u16, message: &str) -> Self {
        Self::spoiling(Spoilt::Error(Refusal { code: code.to_owned(), status, message: message.to_owned() }))
    }

    /// The normal answer comes late.
    pub fn latency(latency: Duration) -> Self {
        Self::spoiling(Spoilt::Late(latency))
    }

    /// The request arrives and the reply never comes. [Connection fault](#connection-faults).
    pub fn stall() -> Self {
        Self::connection(Broken::Stalled)
    }

    /// The request arrives and the connection is reset before the reply. [Connection fault](#connection-faults).
    pub fn disconnect() -> Self {
        Self::connection(Broken::Reset)
    }

    /// The connection is refused; nothing is transmitted and nothing is logged. [Connection fault](#connection-faults).
    pub fn refuse() -> Self {
        Self::connection(Broken::Refused)
    }

    /// The answer's body stops half-way.
    pub fn truncated_body() -> Self {
        Self::spoiling(Spoilt::Truncated)
    }

    /// HTTP 200 with a body that is neither JSON nor text.
    pub fn garbage_body() -> Self {
        Self::spoiling(Spoilt::Garbage)
    }

    /// HTTP 200 with no body.
    pub fn empty_body() -> Self {
        Self::spoiling(Spoilt::Empty)
    }

    /// The answer lacks a field, for instance `Signature`.
    pub fn missing_field(name: &str) -> Self {
        Self::spoiling(Spoilt::Without(name.to_owned()))
    }

    /// The answer has this text for a field, for instance `ECDSA_SHA_512` for `SigningAlgorithm`, whether it had one or
    /// not. An answer that is a refusal stays as it is.
    pub fn set_field(name: &str, value: &str) -> Self {
        Self::spoiling(Spoilt::With { name: name.to_owned(), value: value.to_owned() })
    }

    /// The answer says another `KeyId`.
    pub fn key_id(key_id: &str) -> Self {
        Self::set_field("KeyId", key_id)
    }

    /// `GetPublicKey` answers these bytes as its `PublicKey`.
    pub fn bad_spki(der: impl Into<Vec<u8>>) -> Self {
        Self::set_field("PublicKey", &STANDARD.encode(der.into())).on("GetPublicKey")
    }

    /// `Sign` answers these bytes as its `Signature`.
    pub fn bad_signature(der: impl Into<Vec<u8>>) -> Self {
        Self::set_field("Signature", &STANDARD.encode(der.into())).on("Sign")
    }

    /// `Sign` answers a valid signature of the digest by another key.
    pub fn other_key() -> Self {
        Self::signature(Shape::OtherKey)
    }

    /// `Sign` answers a signature whose lowest bit of s is wrong.
    pub fn flipped_bit() -> Self {
        Self::signature(Shape::FlippedBit)
    }

    /// `Sign` answers a valid signature with s above half the order.
    pub fn high_s() -> Self {
        Self::signature(Shape::HighS)
    }

    /// `Sign` answers a valid signature with s at most half the order (EIP-2).
    pub fn low_s() -> Self {
        Self::signature(Shape::LowS)
    }

    /// `Sign` answers a valid signature whose r takes at most 31 bytes in DER. It takes some 500 attempts.
    pub fn short_r() -> Self {
        Self::signature(Shape::ShortR)
    }

    /// `Sign` answers a valid signature whose s takes at most 31 bytes in DER. It takes some 500 attempts.
    pub fn short_s() -> Self {
        Self::signature(Shape::ShortS)
    }

    /// A bare HTTP status with an HTML body and no request id, as from a load balancer.
    ///
    /// A status that HTTP does not have (below 100 or above 999) is sent as 500.
    pub fn status(status: u16) -> Self {
        Self::spoiling(Spoilt::Status(status))
    }

    /// This response and no other, without a request id: what a proxy, a portal or another service says.
    ///
    /// A status that HTTP does not have (below 100 or above 999) is sent as 500. A content type that no header can
    /// carry is left out.
    ///
    /// ```
    /// use kms_signer::fake::{FakeKms, Fault};
    ///
    /// FakeKms::new().inject(Fault::response(200, "text/html", "<html>Please log in</html>"));
    /// ```
    pub fn response(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::spoiling(Spoilt::Response { status, content_type: content_type.to_owned(), body: body.into().into() })
    }

    /// What `CreateKey`, `CreateAlias` or `ReplicateKey` makes is unknown to the next `n` requests that name it, as
    /// within the first second or so of its life: they are answered `NotFoundException`. A list that it belongs to
    /// lacks it, and counts as one of them.
    ///
    /// ```
    /// use kms_signer::fake::{FakeKms, Fault};
    ///
    /// FakeKms::new().inject(Fault::late_visibility(3).on("CreateKey"));
    /// ```
    pub fn late_visibility(n: usize) -> Self {
        Self::spoiling(Spoilt::Unseen(n))
    }

    /// The replica that `ReplicateKey` makes is `Creating` in its answer and for the next `n` requests that name it, as
    /// for seconds on AWS. Until then it can be described and read; a request that would use or change it is answered
    /// `KMSInvalidStateException`. AWS documents that such a key can be managed already: here nothing is to rely on it.
    ///
    /// ```
    /// use kms_signer::fake::{FakeKms, Fault};
    ///
    /// FakeKms::new().inject(Fault::late_creation(3));
    /// ```
    pub fn late_creation(n: usize) -> Self {
        Self::spoiling(Spoilt::Creating(n)).on("ReplicateKey")
    }

    /// A list's page has at most `n` entries, none if 0, and says that there is more (`Truncated`), even at the end.
    /// KMS promises no more than that.
    ///
    /// ```
    /// use kms_signer::fake::{FakeKms, Fault};
    ///
    /// FakeKms::new().inject(Fault::short_page(0).on("ListKeys").times(2));
    /// ```
    pub fn short_page(n: usize) -> Self {
        Self::spoiling(Spoilt::Short(n))
    }

    /// Only for requests of this operation, for instance `Sign`. Without it any operation matches, except that faults
    /// of the signature, the public key, visibility, creation or pages wait for a request that has one.
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// For the next `n` requests that match, instead of one.
    pub fn times(mut self, n: usize) -> Self {
        self.left = Some(n);
        self
    }

    /// For all requests that match, until [`FakeKms::clear_faults`](super::FakeKms::clear_faults).
    pub fn forever(mut self) -> Self {
        self.left = None;
        self
    }

    fn connection(broken: Broken) -> Self {
        Self::once(Effect::Connection(broken))
    }

    fn spoiling(spoilt: Spoilt) -> Self {
        Self::once(Effect::Response(spoilt))
    }

    fn signature(shape: Shape) -> Self {
        Self::spoiling(Spoilt::Signature(shape)).on("Sign")
    }

    fn once(effect: Effect) -> Self {
        Self { effect, operation: None, left: Some(1) }
    }

    fn is_on(&self, operation: &str) -> bool {
        let fits = match self.effect {
            Effect::Response(Spoilt::Unseen(_)) => matches!(operation, "CreateAlias" | "CreateKey" | "ReplicateKey"),
            Effect::Response(Spoilt::Short(_)) => operation.starts_with("List"),
            _ => true,
        };
        fits && self.operation.as_deref().is_none_or(|on| on == operation)
    }
}

/// The queue of faults.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn push(&self, fault: Fault) {
        if fault.left != Some(0) {
            self.lock().push(fault);
        }
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The fault for a request of this operation.
    pub(super) fn take(&self, operation: &str) -> Option<Effect> {
        self.take_if(|fault| fault.is_on(operation).then(|| fault.effect.clone()))
    }

    /// The fault for a request of this operation that no connection of ours carries.
    pub(super) fn take_for_response(&self, operation: &str) -> Option<Spoilt> {
        self.take_if(|fault| match &fault.effect {
            Effect::Response(spoilt) if fault.is_on(operation) => Some(spoilt.clone()),
            _ => None,
        })
    }

    fn take_if<T>(&self, matching: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut faults = self.lock();
        let (index, fault, taken) = faults
            .iter_mut()
            .enumerate()
            .find_map(|(index, fault)| matching(fault).map(|taken| (index, fault, taken)))?;
        if let Some(left) = &mut fault.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                drop(faults.remove(index));
            }
        }
        Some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
