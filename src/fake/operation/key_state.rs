//! `EnableKey`, `DisableKey`, `ScheduleKeyDeletion` and `CancelKeyDeletion`.

use serde_json::{Value, json};

use super::Call;
use crate::fake::{
    key::{State, merge},
    refusal::Refusal,
};

pub(super) fn enable(call: &Call<'_>) -> Result<Value, Refusal> {
    set(call, State::Enabled)
}

pub(super) fn disable(call: &Call<'_>) -> Result<Value, Refusal> {
    set(call, State::Disabled)
}

fn set(call: &Call<'_>, state: State) -> Result<Value, Refusal> {
    call.change_key(|key| {
        key.check_not_pending()?;
        key.state = state;
        Ok(Value::Null)
    })
}

pub(super) fn schedule_deletion(call: &Call<'_>) -> Result<Value, Refusal> {
    let days = match call.input.integer("PendingWindowInDays")?.unwrap_or(30) {
        days @ ..7 => {
            return Err(Refusal::constraint(
                "PendingWindowInDays",
                format!("'{days}'"),
                "have value greater than or equal to 7",
            ));
        }
        days @ 31.. => {
            return Err(Refusal::constraint(
                "PendingWindowInDays",
                format!("'{days}'"),
                "have value less than or equal to 30",
            ));
        }
        days => days,
    };
    call.change_key(|key| {
        key.check_manageable()?;
        key.schedule_deletion(days, call.now);
        let mut answer = json!({ "KeyId": key.arn, "KeyState": key.state.name(), "PendingWindowInDays": days });
        if let State::PendingDeletion { at } = key.state {
            merge(&mut answer, json!({ "DeletionDate": at }));
        }
        Ok(answer)
    })
}

pub(super) fn cancel_deletion(call: &Call<'_>) -> Result<Value, Refusal> {
    call.change_key(|key| match key.state {
        State::PendingDeletion { .. } | State::PendingReplicaDeletion { .. } => {
            key.cancel_deletion();
            Ok(json!({ "KeyId": key.arn }))
        }
        _ => Err(key.invalid_state("is not pending deletion")),
    })
}
