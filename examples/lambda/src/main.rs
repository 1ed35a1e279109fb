//! Crossmint's treasury function: an AWS Lambda behind API Gateway that signs a 32-byte digest with a KMS key.
//!
//! The body of a request is `{"digest": "<base64 of 32 bytes>", "address": "0x…"}`, and the answer `{"signature": "0x<r ‖ s ‖ v>"}` with
//! v = 27 or 28. `KMS_KEY_ID` names the key. With `KMS_PUBLIC_KEY`, as PEM or as `aws kms get-public-key --query PublicKey --output text`
//! prints it, a start makes no request. The README tells how it is set up.
//!
//! ```text
//! cargo run -p lambda        # outside Lambda: a few requests, to a KMS in this process
//! ```

#[path = "../../support/cli.rs"]
mod cli;
#[cfg(feature = "demo")]
mod demo;
mod function;
mod settings;

use std::{convert::Infallible, env, process::ExitCode, sync::Arc};

use cli::Outcome;
use function::Function;
use lambda_http::{Request, service_fn, tracing};
use settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    cli::report(run().await)
}

async fn run() -> Outcome {
    if env::var_os("AWS_LAMBDA_RUNTIME_API").is_none() {
        return outside_lambda().await;
    }
    tracing::init_default_subscriber();
    let settings = Settings::read(|name| env::var(name).ok())?;
    let function = Arc::new(Function::new(settings.client().await?, settings));
    function.warm_up().await;
    let answer = move |request: Request| {
        let function = function.clone();
        async move { Ok::<_, Infallible>(function.answer(&request).await) }
    };
    lambda_http::run_concurrent(service_fn(answer)).await.map_err(|error| error.to_string().into())
}

#[cfg(feature = "demo")]
async fn outside_lambda() -> Outcome {
    demo::run().await
}

#[cfg(not(feature = "demo"))]
async fn outside_lambda() -> Outcome {
    Err("AWS_LAMBDA_RUNTIME_API is not set: AWS Lambda runs this program, or `cargo lambda watch`".into())
}
