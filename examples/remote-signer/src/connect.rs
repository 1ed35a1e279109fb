//! From the configuration to a server: keys are connected to, rules are read.

use std::{collections::HashMap, sync::Arc};

use kms_signer::{Event, KmsClient, KmsSigner, MetricsObserver, Observer, TracingObserver, guard::Guard};

use crate::{
    audit,
    callers::{Account, Caller, Callers, Key},
    health::Health,
    methods::Forwarding,
    server::Server,
    service::Service,
    settings::{CallerSettings, KeySettings, Limits, RulesSource, Settings},
    tls,
    upstream::Upstream,
};

/// Logs and counts what KMS and the guards do.
pub fn observe(event: &Event<'_>) {
    TracingObserver.observe(event);
    MetricsObserver.observe(event);
}

/// Everything but the listener.
///
/// # Errors
///
/// What is wrong with a key, a caller, the rules, a file or the node's chain, by name.
pub async fn connect(settings: &Settings) -> Result<Server, String> {
    let guards: Vec<Guard> = settings.callers.iter().map(guard).collect::<Result<_, _>>()?;
    let mut limited = settings.callers.iter().zip(&guards).filter(|(_, guard)| !guard.rules().limits.is_empty());
    if let (None, Some((caller, _))) = (&settings.audit, limited.next()) {
        return Err(format!(
            "the caller {} has limits, and there is no [audit]: with each restart they would begin at nothing",
            caller.name
        ));
    }
    let (keys, clients) = connect_keys(&settings.keys).await?;
    let audit = match &settings.audit {
        Some(audit) => {
            let names = settings.callers.iter().map(|caller| caller.name.clone());
            Some(audit::open(audit, names.zip(guards.iter().cloned()).collect()).await?)
        }
        None => {
            tracing::warn!("there is no [audit] in the configuration: what is signed is not recorded");
            None
        }
    };
    let mut callers = Vec::new();
    for (caller, guard) in settings.callers.iter().zip(guards) {
        let keys = keys.iter().filter(|key| caller.keys.contains(&key.name));
        let accounts = keys.map(|key| Account::new(key, &caller.name, guard.clone(), audit.as_ref())).collect();
        let known = Caller::new(&caller.name, accounts);
        callers.push(known.with_token(caller.token_sha256).with_certificate(caller.certificate_sha256));
    }
    let callers = Callers::new(callers)?;
    let tls = match &settings.tls {
        Some(files) => {
            let optional = callers.iter().any(|caller| caller.has_token());
            let (certificate, key, client_ca) = (&*files.certificate, &*files.key, files.client_ca.as_deref());
            Some(tls::server_config(tls::Files { certificate, key, client_ca }, optional)?)
        }
        None => None,
    };
    let url = settings.upstream.as_ref().map(|url| url.0.as_str());
    let service = service(keys, callers, url, &settings.limits)?
        .with_chain_id(settings.chain_id)
        .with_forwarding(Forwarding::also(settings.forward.clone())?);
    check_chain(&service).await?;
    let service = Arc::new(service);
    Ok(Server {
        health: Health::new(service.clone(), audit),
        service,
        metrics: None,
        tls,
        behind_proxy: settings.plain_http,
        limits: settings.limits,
        clients,
    })
}

/// A service with the bounds of the limits.
pub(crate) fn service(
    keys: Vec<Arc<Key>>,
    callers: Callers,
    upstream: Option<&str>,
    limits: &Limits,
) -> Result<Service, String> {
    let upstream = upstream.map(|url| Upstream::new(url, limits.upstream(), limits.upstream_bytes)).transpose()?;
    Ok(Service::new(keys, callers).with_upstream(upstream).with_bounds(limits.batch, limits.upstream_bytes))
}

/// A node on another chain is a mistake that no restart mends. One that cannot be reached may come later.
async fn check_chain(service: &Service) -> Result<(), String> {
    let Some(upstream) = &service.upstream else { return Ok(()) };
    let Ok(found) = upstream.chain_id().await else {
        tracing::warn!(%upstream, "the node does not answer yet");
        return Ok(());
    };
    service.upstream_chain_id(upstream).await.map_err(|error| error.message)?;
    tracing::info!(%upstream, chain_id = found, "the node answers");
    Ok(())
}

/// One client for each Region, so that its limits hold for all keys there.
async fn connect_keys(settings: &[KeySettings]) -> Result<(Vec<Arc<Key>>, Vec<KmsClient>), String> {
    let mut clients: HashMap<Option<String>, KmsClient> = HashMap::new();
    let mut keys: Vec<Arc<Key>> = Vec::new();
    for KeySettings { name, key, region, expected_address } in settings {
        let wrong = |error: kms_signer::Error| format!("the key {name}: {error}");
        let reference: kms_signer::KeyRef = key.parse().map_err(wrong)?;
        let place = match (reference.region(), region) {
            (Some(of_key), Some(region)) if of_key != region => {
                return Err(format!("the key {name}: its region is {region}, and the ARN says {of_key}"));
            }
            (of_key, region) => of_key.map(str::to_owned).or_else(|| region.clone()),
        };
        let client = match clients.get(&place) {
            Some(client) => client.clone(),
            None => {
                let mut builder = KmsClient::builder().observer(observe);
                if let Some(place) = &place {
                    builder = builder.region(place);
                }
                let client = builder.build().await.map_err(wrong)?;
                clients.insert(place, client.clone());
                client
            }
        };
        let mut builder = KmsSigner::builder(client, reference);
        if let Some(address) = expected_address {
            builder = builder.expected_address(*address);
        }
        let signer = builder.connect().await.map_err(wrong)?;
        if let Some(other) = keys.iter().find(|other| other.address() == signer.address()) {
            return Err(format!("the keys {} and {name} are one: {}", other.name, signer.address()));
        }
        tracing::info!(name, key = %signer.key(), address = %signer.address(), "key");
        keys.push(Key::new(name, signer));
    }
    Ok((keys, clients.into_values().collect()))
}

/// A caller's rules, whose limits are its own.
fn guard(caller: &CallerSettings) -> Result<Guard, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("the rules of the caller {}: {error}", caller.name);
    match &caller.rules {
        RulesSource::File(path) => {
            let in_file = |error: &dyn std::fmt::Display| wrong(&format!("{}: {error}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| in_file(&error))?;
            Guard::from_toml(&text).map_err(|error| in_file(&error))
        }
        RulesSource::Here(table) => {
            let rules = serde_path_to_error::deserialize(table.clone())
                .map_err(|error| wrong(&format!("{}: {}", error.path(), error.inner())))?;
            Guard::new(rules).map_err(|error| wrong(&error))
        }
    }
}
