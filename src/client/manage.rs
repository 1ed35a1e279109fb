//! The calls that manage keys. Each goes to one Region: what a key's Region does, no other can do for it.

use std::sync::Arc;

use aws_sdk_kms::{
    Client,
    config::{AsyncSleep, Region},
    operation::{
        create_grant::CreateGrantOutput, create_key::builders::CreateKeyFluentBuilder,
        get_parameters_for_import::GetParametersForImportOutput, list_aliases::ListAliasesOutput,
        list_keys::ListKeysOutput, list_resource_tags::ListResourceTagsOutput,
        replicate_key::builders::ReplicateKeyFluentBuilder,
    },
    primitives::Blob,
    types::{AlgorithmSpec, ExpirationModelType, GrantOperation, KeyMetadata, Tag, WrappingKeySpec},
};

use super::{KmsClient, Policy, Where, call::Effect, call::Exchange, call::Sending, misconfigured};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    key_ref::KeyRef,
};

/// The most that KMS puts on a page.
const KEYS_PER_PAGE: i32 = 1000;
const ALIASES_PER_PAGE: i32 = 100;
const TAGS_PER_PAGE: i32 = 50;

/// A request of the SDK, made ready for one attempt.
macro_rules! send {
    (|$sdk:ident, $key:pat_param| $request:expr) => {
        |$sdk: &Client, $key: &str, settings| -> Sending<_, _> {
            Box::pin($request.customize().config_override(settings).send())
        }
    };
}

impl KmsClient {
    /// Which Region's business a key is: that of its ARN, else the first.
    pub(crate) fn place_of(&self, key: &KeyRef) -> Result<Where> {
        let Some(region) = key.region() else { return Ok(Where::FIRST) };
        match self.0.regions.all().position(|own| own.name() == Some(region)) {
            Some(place) => Ok(Where::At(place)),
            None => {
                let regions = self.regions().collect::<Vec<_>>().join(", ");
                let message = format!("the key is in {region}, but the client is for {regions}");
                Err(misconfigured(message).with_key(key.as_ref()).with_remedy("build a client for the key's Region"))
            }
        }
    }

    /// A client of one Region, with the same settings: one of this client's own, or another made from the first one's configuration.
    pub(crate) fn for_region(&self, region: &str) -> Self {
        let own = self.0.regions.all().find(|own| own.name() == Some(region)).map(|own| own.sdk.clone());
        let sdk = own.unwrap_or_else(|| {
            Client::from_conf(self.sdk().config().to_builder().region(Region::new(region.to_owned())).build())
        });
        let (policy, limits, observer) = (self.0.policy, self.0.regions.first.limits(), self.0.observer.clone());
        let mut client = Self::from(sdk)
            .with_policy(|new| *new = Policy { hedge_after: None, ..policy })
            .with_limits(|new| *new = limits)
            .with_shared_observer(observer);
        // Whoever drains this client waits for that one's calls, too.
        Arc::make_mut(&mut client.0).gate = self.0.gate.clone();
        client
    }

    pub(crate) async fn pause(&self, duration: core::time::Duration) -> Result<()> {
        self.0.timer.sleep()?.sleep(duration).await;
        Ok(())
    }

    /// Not repeated where a key may have been made.
    pub(crate) async fn create_key(
        &self,
        fill: impl Fn(CreateKeyFluentBuilder) -> CreateKeyFluentBuilder,
    ) -> Result<KeyMetadata> {
        let send = send!(|sdk, _| fill(sdk.create_key()));
        let read = |answer: aws_sdk_kms::operation::create_key::CreateKeyOutput| {
            answer.key_metadata.ok_or_else(|| missing("KeyMetadata"))
        };
        self.call(Operation::CreateKey, None, Effect::Creation, Where::FIRST, Exchange { send, read }).await
    }

    pub(crate) async fn describe_key(&self, key: &KeyRef) -> Result<KeyMetadata> {
        let send = send!(|sdk, key| sdk.describe_key().key_id(key));
        let read = |answer: aws_sdk_kms::operation::describe_key::DescribeKeyOutput| {
            answer.key_metadata.ok_or_else(|| missing("KeyMetadata"))
        };
        self.of_key(Operation::DescribeKey, key, Exchange { send, read }).await
    }

    pub(crate) async fn create_alias(&self, alias: &str, key: &KeyRef) -> Result<()> {
        let send = send!(|sdk, key| sdk.create_alias().alias_name(alias).target_key_id(key));
        self.of_key(Operation::CreateAlias, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn update_alias(&self, alias: &str, key: &KeyRef) -> Result<()> {
        let send = send!(|sdk, key| sdk.update_alias().alias_name(alias).target_key_id(key));
        self.of_key(Operation::UpdateAlias, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn list_keys(&self, marker: Option<&str>) -> Result<ListKeysOutput> {
        let send = send!(|sdk, _| sdk.list_keys().limit(KEYS_PER_PAGE).set_marker(marker.map(str::to_owned)));
        self.call(Operation::ListKeys, None, Effect::Repeatable, Where::FIRST, Exchange { send, read: Ok }).await
    }

    /// The aliases of the account in this Region, or of one key.
    pub(crate) async fn list_aliases(&self, key: Option<&KeyRef>, marker: Option<&str>) -> Result<ListAliasesOutput> {
        let send = send!(|sdk, key| {
            let of_key = (!key.is_empty()).then(|| key.to_owned());
            sdk.list_aliases().limit(ALIASES_PER_PAGE).set_key_id(of_key).set_marker(marker.map(str::to_owned))
        });
        let place = key.map_or(Ok(Where::FIRST), |key| self.place_of(key))?;
        self.call(Operation::ListAliases, key, Effect::Repeatable, place, Exchange { send, read: Ok }).await
    }

    pub(crate) async fn list_resource_tags(
        &self,
        key: &KeyRef,
        marker: Option<&str>,
    ) -> Result<ListResourceTagsOutput> {
        let send = send!(|sdk, key| {
            sdk.list_resource_tags().key_id(key).limit(TAGS_PER_PAGE).set_marker(marker.map(str::to_owned))
        });
        self.of_key(Operation::ListResourceTags, key, Exchange { send, read: Ok }).await
    }

    pub(crate) async fn tag_resource(&self, key: &KeyRef, tag: &Tag) -> Result<()> {
        let send = send!(|sdk, key| sdk.tag_resource().key_id(key).tags(tag.clone()));
        self.of_key(Operation::TagResource, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn untag_resource(&self, key: &KeyRef, tag: &str) -> Result<()> {
        let send = send!(|sdk, key| sdk.untag_resource().key_id(key).tag_keys(tag));
        self.of_key(Operation::UntagResource, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn enable_key(&self, key: &KeyRef) -> Result<()> {
        let send = send!(|sdk, key| sdk.enable_key().key_id(key));
        self.of_key(Operation::EnableKey, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn disable_key(&self, key: &KeyRef) -> Result<()> {
        let send = send!(|sdk, key| sdk.disable_key().key_id(key));
        self.of_key(Operation::DisableKey, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn schedule_key_deletion(&self, key: &KeyRef, days: i32) -> Result<()> {
        let send = send!(|sdk, key| sdk.schedule_key_deletion().key_id(key).pending_window_in_days(days));
        self.of_key(Operation::ScheduleKeyDeletion, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn cancel_key_deletion(&self, key: &KeyRef) -> Result<()> {
        let send = send!(|sdk, key| sdk.cancel_key_deletion().key_id(key));
        self.of_key(Operation::CancelKeyDeletion, key, Exchange { send, read: |_| Ok(()) }).await
    }

    /// For `RSA_AES_KEY_WRAP_SHA_256` with RSA of 4,096 bits.
    pub(crate) async fn get_parameters_for_import(&self, key: &KeyRef) -> Result<GetParametersForImportOutput> {
        let send = send!(|sdk, key| {
            let request = sdk.get_parameters_for_import().key_id(key);
            request.wrapping_algorithm(AlgorithmSpec::RsaAesKeyWrapSha256).wrapping_key_spec(WrappingKeySpec::Rsa4096)
        });
        self.of_key(Operation::GetParametersForImport, key, Exchange { send, read: Ok }).await
    }

    /// Material that does not expire.
    pub(crate) async fn import_key_material(&self, key: &KeyRef, token: &Blob, wrapped: &[u8]) -> Result<()> {
        let send = send!(|sdk, key| {
            let request = sdk.import_key_material().key_id(key).import_token(token.clone());
            request
                .encrypted_key_material(Blob::new(wrapped))
                .expiration_model(ExpirationModelType::KeyMaterialDoesNotExpire)
        });
        self.of_key(Operation::ImportKeyMaterial, key, Exchange { send, read: |_| Ok(()) }).await
    }

    pub(crate) async fn replicate_key(
        &self,
        key: &KeyRef,
        fill: impl Fn(ReplicateKeyFluentBuilder) -> ReplicateKeyFluentBuilder,
    ) -> Result<KeyMetadata> {
        let send = send!(|sdk, key| fill(sdk.replicate_key().key_id(key)));
        let read = |answer: aws_sdk_kms::operation::replicate_key::ReplicateKeyOutput| {
            answer.replica_key_metadata.ok_or_else(|| missing("ReplicaKeyMetadata"))
        };
        self.of_key(Operation::ReplicateKey, key, Exchange { send, read }).await
    }

    /// Grants of the same name and content are one.
    pub(crate) async fn create_signing_grant(
        &self,
        key: &KeyRef,
        principal: &str,
        name: &str,
    ) -> Result<CreateGrantOutput> {
        let send = send!(|sdk, key| {
            let request = sdk.create_grant().key_id(key).grantee_principal(principal).name(name);
            request.operations(GrantOperation::GetPublicKey).operations(GrantOperation::Sign)
        });
        self.of_key(Operation::CreateGrant, key, Exchange { send, read: Ok }).await
    }

    pub(crate) async fn revoke_grant(&self, key: &KeyRef, grant_id: &str) -> Result<()> {
        let send = send!(|sdk, key| sdk.revoke_grant().key_id(key).grant_id(grant_id));
        self.of_key(Operation::RevokeGrant, key, Exchange { send, read: |_| Ok(()) }).await
    }

    /// A call about one key, in that key's Region, that may be repeated.
    async fn of_key<O, E, T, S, R>(&self, operation: Operation, key: &KeyRef, exchange: Exchange<S, R>) -> Result<T>
    where
        O: aws_sdk_kms::operation::RequestId,
        E: aws_sdk_kms::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        S: Fn(&Client, &str, aws_sdk_kms::config::Builder) -> Sending<O, E>,
        R: Fn(O) -> Result<T>,
    {
        let place = self.place_of(key).map_err(|error| error.with_operation(operation))?;
        self.call(operation, Some(key), Effect::Repeatable, place, exchange).await
    }
}

fn missing(field: &str) -> Error {
    Error::new(ErrorKind::InvalidResponse, Operation::DescribeKey, format!("the answer has no {field}"))
}
