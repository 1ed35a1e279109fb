//! EIP-191 messages and EIP-712 typed data.

use alloy_dyn_abi::TypedData;
use alloy_primitives::{Address, Bytes, Signature, hex};
use kms_signer::{
    alloy_signer::{self, Signer},
    signature::{V, to_eth_bytes},
};
use serde_json::value::RawValue;

use crate::{
    callers::Caller,
    error::{Asked, RpcError},
    rpc::{Answer, Params, result},
};

const ADDRESS: &str = "an address of 20 bytes in hexadecimal";
const MESSAGE: &str = "the message's bytes in hexadecimal, with 0x";

/// `eth_sign(address, message)`, as geth has it: with EIP-191's prefix.
pub(super) async fn eth_sign(caller: &Caller, params: Option<&RawValue>) -> Answer {
    let params = Params::parse(params, 2)?;
    let (address, message) = (params.get(0, ADDRESS)?, params.get(1, MESSAGE)?);
    sign_message(caller, address, message).await
}

/// `personal_sign(message, address)`. Clients of geth add a password, which means nothing here.
pub(super) async fn personal_sign(caller: &Caller, params: Option<&RawValue>) -> Answer {
    let params = Params::parse(params, 3)?;
    let (message, address) = (params.get(0, MESSAGE)?, params.get(1, ADDRESS)?);
    sign_message(caller, address, message).await
}

async fn sign_message(caller: &Caller, address: Address, message: Bytes) -> Answer {
    signed(caller.account(address)?.signer.sign_message(&message).await)
}

/// `eth_signTypedData_v4(address, data)`, the data as an object or as a string of JSON.
pub(super) async fn typed_data(caller: &Caller, params: Option<&RawValue>) -> Answer {
    let params = Params::parse(params, 2)?;
    let address = params.get(0, ADDRESS)?;
    let raw = params.raw(1, "typed data with types, primaryType, domain and message")?;
    let account = caller.account(address)?;
    let data: TypedData = serde_json::from_str(raw.get()).map_err(|_| {
        RpcError::invalid_params("params[1] must be typed data with types, primaryType, domain and message")
    })?;
    signed(account.signer.sign_dynamic_typed_data(&data).await)
}

/// 65 bytes, v being 27 or 28.
fn signed(signature: alloy_signer::Result<Signature>) -> Answer {
    let signature = signature.map_err(|error| RpcError::from_signing(&error, Asked::Message))?;
    result(&hex::encode_prefixed(to_eth_bytes(&signature, V::Legacy)))
}
