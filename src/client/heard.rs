//! What a signature's call of KMS tells the one who awaits it.
//!
//! alloy's traits return a signature and nothing else. The call that made it runs on the same task, so what it tells is left in a
//! task-local value, whatever stands between.

use core::cell::RefCell;

use crate::{error::Operation, observe::CallEvent};

tokio::task_local! {
    static HEARD: RefCell<Heard>;
}

/// What the last call of `Sign` told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    pub(crate) key: Option<String>,
    pub(crate) request_id: Option<String>,
}

/// Awaits a signature, and hears what its call tells. None of it, where no [`KmsClient`](super::KmsClient) made it.
pub(crate) async fn listen<F: Future>(signing: F) -> (F::Output, Heard) {
    let heard = async {
        let output = signing.await;
        (output, HEARD.with(RefCell::take))
    };
    let (output, heard) = HEARD.scope(RefCell::default(), heard).await;
    // Whoever else awaits it, as one guard around another does.
    leave(heard.clone());
    (output, heard)
}

fn leave(heard: Heard) {
    let _ = HEARD.try_with(|cell| cell.replace(heard));
}

pub(super) fn is_listening() -> bool {
    HEARD.try_with(|_| ()).is_ok()
}

pub(super) fn tell(event: &CallEvent<'_>) {
    if event.operation() != Operation::Sign {
        return;
    }
    leave(Heard { key: event.key().map(str::to_owned), request_id: event.request_id().map(str::to_owned) });
}
