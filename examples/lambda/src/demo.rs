//! Outside Lambda: a few requests to the function, with a KMS in this process.

use alloy_primitives::{Address, keccak256};
use base64::{Engine, prelude::BASE64_STANDARD};
use kms_signer::{KmsClient, fake::FakeKms};
use lambda_http::{Body, Request};

use crate::{cli::Outcome, function::Function, settings::Settings};

pub(crate) async fn run() -> Outcome {
    eprintln!("AWS_LAMBDA_RUNTIME_API is not set: a few requests, to a KMS in this process with a new key");
    let fake = FakeKms::new();
    let key = fake.create_key()?;
    let address = kms_signer::KmsSigner::new(fake.client(), &key, None).await?.address();
    let settings = Settings::read(|name| (name == "KMS_KEY_ID").then(|| key.to_string()))?;
    let function = Function::new(KmsClient::from(fake.client()), settings);

    let digest = keccak256("a transaction of the treasury");
    for body in [
        format!(r#"{{"digest":"{}","address":"{address}"}}"#, BASE64_STANDARD.encode(digest)),
        format!(r#"{{"digest":"{}","address":"{}"}}"#, BASE64_STANDARD.encode(digest), Address::ZERO),
        format!(r#"{{"digest":"{}","address":"{address}"}}"#, BASE64_STANDARD.encode("too short")),
    ] {
        println!("\nPOST  {body}");
        let response = function.answer(&Request::new(Body::Text(body))).await;
        println!("{}   {}", response.status().as_u16(), String::from_utf8_lossy(response.body()));
    }
    Ok(())
}
