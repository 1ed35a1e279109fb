//! A role that goes on signing when its session has ended.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use kms_signer::{
    CredentialsEvent, ErrorKind, Event, Outcome,
    iam::{IamPolicy, TrustPolicy},
};

use crate::{
    EXTERNAL_ID,
    account::{AccessKey, Account, access_key, client, connect, policy},
    signs,
};

/// How long each session lasts, in seconds. AWS gives no shorter ones than 900 s.
const LASTS: u32 = 20;

/// STS, before the emulator's: who may not have a session is refused by the emulator, who may gets one that soon ends.
#[derive(Clone)]
struct Sts {
    account: Account,
    role: String,
    http: reqwest::Client,
    given: Arc<Mutex<Vec<AccessKey>>>,
}

impl Sts {
    /// Answers until the test ends.
    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }
}

async fn answer(State(sts): State<Sts>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    // With the host it was signed for.
    let forwarded = sts.http.post(&sts.account.url).headers(parts.headers).body(body).send().await.unwrap();
    let status = forwarded.status();
    let text = if status.is_success() {
        let session = sts.account.session(&sts.role, LASTS).await;
        sts.given.lock().unwrap().push(access_key(&session));
        session
    } else {
        forwarded.text().await.unwrap()
    };
    Response::builder().status(status).header("content-type", "text/xml").body(Body::from(text)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs KMS_AUTH_ENDPOINT, started by tests/stack.sh"]
async fn a_role_keeps_signing_past_the_end_of_its_session() {
    let account = Account::ours();
    let key = account.key(None).await;
    let user = account.user(None).await;
    let trust = TrustPolicy::new(user.arn.parse().unwrap()).principal(account.root().parse().unwrap());
    let trust = trust.external_id(EXTERNAL_ID).unwrap();
    let role = account.role(trust.to_json(), IamPolicy::signer([key.clone()]).unwrap().to_json()).await;
    account.allow(&user, &policy(&["sts:AssumeRole"], &role.arn)).await;
    let sts =
        Sts { account: account.clone(), role: role.arn.clone(), http: reqwest::Client::new(), given: Arc::default() };
    let url = sts.serve().await;

    // The stand-in lets nobody in whom the emulator's STS refuses.
    let wrong = client(&account.url, &user.access).assume_role(role.at(&url).external_id("customer:18"));
    assert_eq!(connect(wrong, &key).await.unwrap_err().kind(), ErrorKind::AccessDenied);
    assert!(sts.given.lock().unwrap().is_empty());

    let loads: Arc<Mutex<Vec<(Duration, CredentialsEvent)>>> = Arc::default();
    let (log, started) = (loads.clone(), Instant::now());
    let builder = client(&account.url, &user.access).assume_role(role.at(&url).external_id(EXTERNAL_ID));
    let builder = builder.observer(move |event: &Event<'_>| {
        if let Event::Credentials(event) = event {
            log.lock().unwrap().push((started.elapsed(), *event));
        }
    });
    let signer = connect(builder, &key).await.unwrap();
    let mut signatures = 0;
    while started.elapsed() < Duration::from_secs(u64::from(LASTS) + 2) {
        signs(&signer).await;
        signatures += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    println!("\n{signatures} signatures in {:.1?}, with sessions of {LASTS} s", started.elapsed());
    let loads = loads.lock().unwrap().clone();
    for (at, event) in &loads {
        println!("credentials loaded after {at:.1?}: {}", event.outcome());
        assert_eq!(event.outcome(), Outcome::Success);
    }
    // Renewed five to ten seconds before the end, so that a second renewal may have come.
    assert!((2..=3).contains(&loads.len()), "{loads:?}");
    let given = sts.given.lock().unwrap().clone();
    assert_eq!(given.len(), loads.len());
    let error = connect(client(&account.url, &given[0]), &key).await.unwrap_err();
    // Or "unknown": the emulator forgets a session that has ended when another begins.
    assert_eq!(error.kind(), ErrorKind::Credentials, "the first session has ended: {error}");
}
