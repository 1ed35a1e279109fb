//! The queue on a clock that the test moves, before a KMS that is a token bucket.

use core::time::Duration;

use aws_sdk_kms::config::Sleep;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::*;

#[derive(Debug)]
struct Tokio;

impl AsyncSleep for Tokio {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}

fn timer() -> SharedAsyncSleep {
    SharedAsyncSleep::new(Tokio)
}

fn limiter(requests_per_second: Option<u32>, max_in_flight: u32) -> Limiter {
    Limiter::new(Limits { requests_per_second, max_in_flight, ..Limits::default() })
}

fn ticket(number: u64) -> Ticket {
    Ticket { number, deadline: Instant::now() + Duration::from_secs(10), returns: false }
}

fn millis(since: Instant) -> u64 {
    since.elapsed().as_millis().try_into().unwrap()
}

#[tokio::test(start_paused = true)]
async fn first_in_first_out_and_no_more_at_once_than_allowed() {
    let limiter = limiter(None, 3);
    let order = Mutex::new(Vec::new());
    let most = Mutex::new((0, 0));
    let call = |number| {
        let (limiter, order, most) = (&limiter, &order, &most);
        async move {
            let permit = limiter.admit(ticket(number), &timer()).await.ok().unwrap();
            order.lock().unwrap().push(number);
            {
                let mut most = most.lock().unwrap();
                most.0 += 1;
                most.1 = most.1.max(most.0);
            }
            // Of different length, so that they end in another order than they began.
            sleep(Duration::from_millis(1 + number * 7 % 5)).await;
            most.lock().unwrap().0 -= 1;
            drop(permit);
        }
    };
    join_all((0..100).map(call)).await;
    assert_eq!(order.into_inner().unwrap(), (0..100).collect::<Vec<_>>());
    assert_eq!(most.into_inner().unwrap(), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn who_returns_goes_before_all_that_came_later() {
    let limiter = limiter(None, 1);
    let order = Mutex::new(Vec::new());
    let attempt = async |ticket: Ticket, name: &'static str| {
        let permit = limiter.admit(ticket, &timer()).await.ok().unwrap();
        order.lock().unwrap().push(name);
        sleep(Duration::from_millis(10)).await;
        drop(permit);
    };
    let (first, second, third) = (ticket(0), ticket(1), ticket(2));
    let first = async {
        attempt(first, "first").await;
        attempt(Ticket { returns: true, ..first }, "first again").await;
    };
    tokio::join!(first, attempt(second, "second"), attempt(third, "third"));
    assert_eq!(order.into_inner().unwrap(), ["first", "first again", "second", "third"]);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_half_way_gives_its_place_back() {
    let limiter = limiter(None, 1);
    let under_way = limiter.admit(ticket(0), &timer()).await.ok().unwrap();
    // One waits and is dropped; the one behind it does not wait for it.
    let dropped = tokio::time::timeout(Duration::from_millis(5), limiter.admit(ticket(1), &timer())).await;
    assert!(dropped.is_err());
    assert_eq!(limiter.lock().waiting.len(), 0);
    let timer = timer();
    let (admitted, ()) = tokio::join!(limiter.admit(ticket(2), &timer), async {
        sleep(Duration::from_millis(5)).await;
        drop(under_way);
    });
    drop(admitted.ok().unwrap());
    assert_eq!(limiter.lock().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_front_wakes_the_one_behind_it() {
    let limiter = limiter(Some(1), 9);
    drop(limiter.admit(ticket(0), &timer()).await.ok().unwrap());
    let timer = timer();
    let (front, behind) = tokio::join!(
        tokio::time::timeout(Duration::from_millis(100), limiter.admit(ticket(1), &timer)),
        limiter.admit(ticket(2), &timer),
    );
    assert!(front.is_err() && behind.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_front_that_nobody_polls_holds_nobody_up_beyond_its_deadline() {
    let (limiter, timer) = (limiter(None, 1), timer());
    let under_way = limiter.admit(ticket(0), &timer).await.ok().unwrap();
    let front = Ticket { deadline: Instant::now() + Duration::from_millis(100), ..ticket(1) };
    let mut front = Box::pin(limiter.admit(front, &timer));
    assert!(futures_util::poll!(&mut front).is_pending());
    sleep(Duration::from_millis(200)).await;
    drop(under_way);
    drop(limiter.admit(ticket(2), &timer).await.ok().unwrap());
    assert!(front.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_waits_behind_a_front_that_nobody_polls_is_woken_by_who_comes_later() {
    let (limiter, timer) = (limiter(None, 1), timer());
    let under_way = limiter.admit(ticket(0), &timer).await.ok().unwrap();
    let front = Ticket { deadline: Instant::now() + Duration::from_millis(100), ..ticket(1) };
    let mut front = Box::pin(limiter.admit(front, &timer));
    assert!(futures_util::poll!(&mut front).is_pending());
    let started = Instant::now();
    let second = async {
        drop(limiter.admit(ticket(2), &timer).await.ok().unwrap());
        millis(started)
    };
    let later = async {
        sleep(Duration::from_millis(50)).await;
        // Its wake-up goes to the front, which does not see it.
        drop(under_way);
        sleep(Duration::from_millis(100)).await;
        drop(limiter.admit(ticket(3), &timer).await.ok().unwrap());
    };
    let (second, ()) = tokio::join!(second, later);
    assert!(second < 1000, "{second} ms");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_costs_no_time() {
    let (limiter, timer) = (limiter(Some(10), 64), timer());
    let started = Instant::now();
    for number in 0..50 {
        limiter.admit(ticket(number), &timer).await.ok().unwrap().give_back();
    }
    assert!(millis(started) < 200, "{}", millis(started));
}

#[tokio::test(start_paused = true)]
async fn refusals_say_why() {
    let limits = Limits { requests_per_second: Some(10), max_in_flight: 1, max_queued: 2 };
    let limiter = Limiter::new(limits);
    let in_100_ms = |number| Ticket { deadline: Instant::now() + Duration::from_millis(100), ..ticket(number) };
    let timer = timer();
    let under_way = limiter.admit(ticket(0), &timer).await.ok().unwrap();
    let refusal = async |ticket| limiter.admit(ticket, &timer).await.err();
    let (first, second, third) = tokio::join!(refusal(in_100_ms(1)), refusal(ticket(2)), refusal(ticket(3)));
    assert_eq!(first, Some(Refused::HeldInFlight));
    assert_eq!(second, Some(Refused::HeldInFlight), "nothing ends for ten seconds");
    assert_eq!(third, Some(Refused::QueueFull(2)));
    drop(under_way);

    drop(limiter.admit(ticket(4), &timer).await.ok().unwrap());
    let (waits, fails) = tokio::join!(limiter.admit(ticket(5), &timer), async {
        let started = Instant::now();
        let refused = refusal(Ticket { deadline: started + Duration::from_millis(90), ..ticket(6) }).await;
        (refused, millis(started))
    });
    assert!(waits.is_ok());
    assert_eq!(fails, (Some(Refused::TooManyAhead(1)), 0), "it does not wait to find out");
    drop(waits);
    // Only its own turn, and too late.
    let late =
        refusal(Ticket { deadline: Instant::now() + Duration::from_millis(30), returns: true, ..ticket(7) }).await;
    assert_eq!(late, Some(Refused::HeldByRate));
}

/// A KMS with a quota: `rate` tokens a second, `depth` at most.
struct Bucket {
    rate: f64,
    depth: f64,
    tokens: f64,
    at: Instant,
    throttled: u32,
    served: u32,
}

impl Bucket {
    /// With the allowance of a tenth of a second.
    fn new(rate: f64) -> Self {
        let depth = (rate / 10.0).max(1.0);
        Self { rate, depth, tokens: depth, at: Instant::now(), throttled: 0, served: 0 }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        self.tokens = (self.tokens + self.rate * now.duration_since(self.at).as_secs_f64()).min(self.depth);
        self.at = now;
        let served = self.tokens >= 1.0;
        if served {
            self.tokens -= 1.0;
            self.served += 1;
        } else {
            self.throttled += 1;
        }
        served
    }
}

/// A burst of `calls`, so many at once, each tried until it is served. The time of each, sorted.
async fn burst(limiter: &Limiter, bucket: &Mutex<Bucket>, calls: u32, at_once: u32, latency: Duration) -> Vec<u64> {
    let next = core::sync::atomic::AtomicU64::new(0);
    let times = Mutex::new(Vec::new());
    join_all((0..at_once).map(|_| async {
        loop {
            let number = next.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
            if number >= u64::from(calls) {
                return;
            }
            let began = Instant::now();
            let mut ticket = Ticket { deadline: began + Duration::from_secs(600), ..ticket(number) };
            loop {
                let permit = limiter.admit(ticket, &timer()).await.ok().unwrap();
                ticket.returns = true;
                sleep(latency / 2).await;
                let served = bucket.lock().unwrap().take();
                sleep(latency / 2).await;
                if served {
                    permit.served();
                    break;
                }
                permit.throttled();
            }
            times.lock().unwrap().push(millis(began));
        }
    }))
    .await;
    let mut times = times.into_inner().unwrap();
    times.sort_unstable();
    times
}

#[tokio::test(start_paused = true)]
async fn at_the_rate_that_was_set_nothing_is_throttled_and_no_time_is_lost() {
    for rate in [20, 500, 5000] {
        let limiter = limiter(Some(rate), 64);
        let bucket = Mutex::new(Bucket::new(f64::from(rate)));
        let started = Instant::now();
        burst(&limiter, &bucket, rate * 10, 256, Duration::from_millis(4)).await;
        let took = started.elapsed().as_secs_f64();
        assert_eq!(bucket.into_inner().unwrap().throttled, 0, "{rate}");
        assert!((9.8..10.2).contains(&took), "{rate} took {took} s");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_quota_is_found() {
    println!("quota  latency  of quota  throttled/served     p99  ideal");
    for quota in [50, 100, 500, 2000] {
        for latency in [2, 10, 50] {
            let limiter = limiter(None, 64);
            let bucket = Mutex::new(Bucket::new(f64::from(quota)));
            let started = Instant::now();
            let calls = quota * 20;
            let times = burst(&limiter, &bucket, calls, 256, Duration::from_millis(latency)).await;
            let goodput = f64::from(calls) / started.elapsed().as_secs_f64();
            // Nobody gets more than so many requests through at that latency.
            let possible = f64::from(quota).min(64.0 / (latency as f64 / 1000.0));
            let bucket = bucket.into_inner().unwrap();
            let throttled = f64::from(bucket.throttled) / f64::from(bucket.served);
            let p99 = times[times.len() * 99 / 100];
            println!(
                "{quota:>5} {latency:>6}ms {:>8.3} {throttled:>17.3} {p99:>6}ms {:>5}",
                goodput / possible,
                256_000 / quota
            );
            assert!(goodput >= possible * 0.9, "{goodput} of {possible}");
            assert!(throttled <= 0.5, "{throttled}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_shrinks_and_grows_is_followed() {
    let limiter = limiter(None, 64);
    let bucket = Mutex::new(Bucket::new(500.0));
    let change = async |rate: f64| {
        sleep(Duration::from_secs(20)).await;
        let (served, throttled) = {
            let mut bucket = bucket.lock().unwrap();
            bucket.rate = rate;
            (bucket.served, bucket.throttled)
        };
        (served, throttled)
    };
    let timer = async {
        let at_500 = change(50.0).await;
        let at_50 = change(500.0).await;
        let back = change(500.0).await;
        [at_500, (at_50.0 - at_500.0, at_50.1 - at_500.1), (back.0 - at_50.0, back.1 - at_50.1)]
    };
    let load = burst(&limiter, &bucket, u32::MAX, 256, Duration::from_millis(4));
    let phases = match select(pin!(timer), pin!(load)).await {
        futures_util::future::Either::Left((phases, _)) => phases,
        futures_util::future::Either::Right(_) => unreachable!(),
    };
    println!("{phases:?}");
    for ((served, throttled), quota) in phases.into_iter().zip([500, 50, 500]) {
        assert!(f64::from(served) >= f64::from(quota) * 20.0 * 0.8, "{served} at {quota}");
        assert!(throttled * 2 <= served, "{throttled} throttled, {served} served at {quota}");
    }
}
