//! EIP-191 messages and EIP-712 typed data.

mod domain;

use alloy_dyn_abi::TypedData;
use alloy_primitives::{Address, Bytes, Signature, hex};
use kms_signer::{
    alloy_signer::{self, Signer},
    signature::{V, to_eth_bytes},
};
use serde_json::value::RawValue;

use crate::{
    error::{Refused, RpcError},
    rpc::{Answer, Params, result},
    service::{Request, Service},
};

const ADDRESS: &str = "an address of 20 bytes in hexadecimal";
const MESSAGE: &str = "the message's bytes in hexadecimal, with 0x";

/// `eth_sign(address, message)`, as geth has it: with EIP-191's prefix.
pub(super) async fn eth_sign(service: &Service, request: &Request, params: Option<&RawValue>) -> Answer {
    let params = Params::parse(params, 2)?;
    let (address, message) = (params.get(0, ADDRESS)?, message(&params, 1)?);
    sign_message(service, request, address, message).await
}

/// `personal_sign(message, address)`. Clients of geth add a password, which means nothing here.
pub(super) async fn personal_sign(service: &Service, request: &Request, params: Option<&RawValue>) -> Answer {
    let params = Params::parse(params, 3)?;
    let (message, address) = (message(&params, 0)?, params.get(1, ADDRESS)?);
    sign_message(service, request, address, message).await
}

/// Bytes with `0x`: a client that passes text must not have other bytes signed than it means.
fn message(params: &Params<'_>, place: usize) -> Result<Bytes, RpcError> {
    if !params.raw(place, MESSAGE)?.get().starts_with("\"0x") {
        return Err(RpcError::invalid_params(format!("params[{place}] must be {MESSAGE}")));
    }
    params.get(place, MESSAGE)
}

async fn sign_message(service: &Service, request: &Request, address: Address, message: Bytes) -> Answer {
    let signer = request.caller.account(address)?.signer.clone();
    signed(service.to_the_end(request, async move { signer.sign_message(&message).await }).await?)
}

/// `eth_signTypedData_v4(address, data)`, the data as an object or as a string of JSON.
pub(super) async fn typed_data(service: &Service, request: &Request, params: Option<&RawValue>) -> Answer {
    let params = Params::parse(params, 2)?;
    let address = params.get(0, ADDRESS)?;
    let raw = params.raw(1, "typed data with types, primaryType, domain and message")?;
    let signer = request.caller.account(address)?.signer.clone();
    let data: TypedData = serde_json::from_str(raw.get()).map_err(|_| {
        RpcError::invalid_params("params[1] must be typed data with types, primaryType, domain and message")
    })?;
    domain::check(raw, &data)?;
    signed(service.to_the_end(request, async move { signer.sign_dynamic_typed_data(&data).await }).await?)
}

/// 65 bytes, v being 27 or 28.
fn signed(signature: alloy_signer::Result<Signature>) -> Answer {
    let signature = signature.map_err(|error| RpcError::from_signing(&error, Refused::Message))?;
    result(&hex::encode_prefixed(to_eth_bytes(&signature, V::Legacy)))
}
