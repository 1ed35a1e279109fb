//! FakeKms as key management needs it: lists, imports, replicas, permissions. All through the SDK client.

mod access;
mod cipher;
mod faults;
mod grants;
mod import;
mod list;
mod replicas;

use aws_sdk_kms::error::ProvideErrorMetadata;
use kms_signer::aws_sdk_kms;

/// The code that KMS refused with.
#[track_caller]
fn code<T>(result: Result<T, impl ProvideErrorMetadata>) -> String {
    refusal(result).0
}

/// Code and message.
#[track_caller]
fn refusal<T>(result: Result<T, impl ProvideErrorMetadata>) -> (String, String) {
    let Err(error) = result else { panic!("it was answered") };
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}
