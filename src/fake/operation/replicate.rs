//! `ReplicateKey`.

use serde_json::{Value, json};

use super::{Call, create_key, policy, tags};
use crate::fake::{fault::Spoilt, key::State, refusal::Refusal};

/// The longest name of a Region, in characters.
const REGION_MAX: usize = 32;

pub(super) fn replicate(call: &Call<'_>) -> Result<Value, Refusal> {
    let region = call.input.required_text("ReplicaRegion", REGION_MAX)?;
    let description = create_key::description(call)?;
    let policy = policy::read(call)?;
    let tags = tags::read(&call.input)?;
    let key = call.key("KeyId")?;
    if !key.is_primary() {
        return Err(Refusal::unsupported(format!("{} is not a multi-Region primary key.", key.arn)));
    }
    key.check_enabled()?;
    if region == call.store.region() {
        return Err(Refusal::validation(format!("The replica Region is that of the primary key: {region}")));
    }
    let there = call.kms.joined(region).ok_or_else(|| {
        Refusal::unsupported(format!("No FakeKms of Region {region} is joined to that of {}.", call.store.region()))
    })?;

    let now = there.0.clock.now();
    let mut replica = key.replica(region, now);
    description.clone_into(&mut replica.description);
    call.check_identity("kms:CreateKey", "*")?;
    create_key::adorn(call, &mut replica, tags, policy)?;
    if let Some(&Spoilt::Creating(requests)) = call.spoilt {
        replica.state = State::Creating { requests };
    }
    let replica = there.0.store.insert_replica(replica, now)?;
    Ok(json!({
        "ReplicaKeyMetadata": replica.metadata(now),
        "ReplicaPolicy": replica.policy.text(),
        "ReplicaTags": replica.tags.iter().map(|(name, value)| tags::entry(name, value)).collect::<Vec<_>>(),
    }))
}
