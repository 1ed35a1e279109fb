//! The comparison itself: what is measured, and what is made of it.

use std::{fs, net::SocketAddr, sync::Arc};

use alloy_primitives::B256;
use alloy_signer_aws::AwsSignerError;
use aws_sdk_kms::Client;
use tokio::runtime::Runtime;

use crate::{
    Outcome, Size,
    answers::Answers,
    contender::{Contender, Who},
    counts::Counts,
    loopback,
    measure::{Spent, processor, rounds},
    memory::{self, Memory},
    plot::{self, Bar, Panel},
    recovery::{self, Keys, WARM_UP},
    runtime,
    start::FirstSignature,
    stream::{How, Stream, Streamed, TASKS},
    table::{self, Row, Samples},
    tls,
};

pub(crate) fn compare(size: &Size) -> Outcome {
    let runtime = runtime()?;
    let answers = Arc::new(runtime.block_on(Answers::make(size.signatures.into()))?);
    let server = loopback::serve(answers.clone(), None)?;
    let authority = tls::Authority::new()?;
    let tls_server = loopback::serve_tls(answers.clone(), authority.acceptor()?)?;
    let bench = Bench {
        rounds: size.rounds.try_into()?,
        in_flight: size.in_flight.try_into()?,
        digests: answers.digests().into(),
        counts: size.instructions.as_deref().map(Counts::read).transpose()?.unwrap_or_default(),
        answers,
        runtime,
    };
    println!(
        "alloy-signer-aws 2.5.0 and kms-signer, aws-sdk-kms {}; {}.\n\
         {} rounds of {} signatures; start: {} processes each. Answers made beforehand by FakeKms.\n\
         Each client signs {WARM_UP} times before it is measured: our key has its table of multiples then.\n",
        aws_sdk_kms::meta::PKG_VERSION,
        processor(),
        size.rounds,
        size.signatures,
        size.rounds,
    );

    recovery::check(&bench.answers)?;
    let in_memory = memory::client(Memory::new(bench.answers.clone()));
    let over_loopback = loopback::client(server);
    bench.check(&over_loopback)?;

    let recoveries = bench.recoveries()?;
    table::print_lines(
        &["DER to y-parity: median (min–max)", "CPU µs", "/ alloy-signer-aws", "instructions", "/ alloy-signer-aws"],
        &recoveries.iter().map(|recovery| recovery.cells(&recoveries)).collect::<Vec<_>>(),
    );
    println!();

    let mut rows = Vec::from(bench.in_memory(&in_memory)?);
    rows.extend(bench.over_loopback(&over_loopback, 1)?);
    let [many, many_wall] = bench.over_loopback(&over_loopback, bench.in_flight)?;
    let panels = [bench.panels_of_signing(&many), panels_of_recovery(&recoveries)];
    rows.extend([many, many_wall]);
    rows.extend(bench.counted("memory", "in memory: a signature, instructions"));
    rows.extend(bench.counted("loopback", "loopback, 64 in flight: a signature, instructions of the client"));
    rows.extend(bench.start(server, None)?);
    rows.extend(bench.start(tls_server, Some(&authority))?);
    rows.extend(bench.requests()?);
    rows.push(
        Row::new("size_of its error, bytes")
            .peer(Samples::one(size_of::<AwsSignerError>()))
            .ours(Samples::one(size_of::<kms_signer::Error>())),
    );
    table::print(&rows);
    println!();
    table::print_lines(
        &["median (min–max)", "sign_hashes, in order", &format!("{TASKS} tasks spawned by hand"), "ratio"],
        &bench.streams(server)?,
    );

    if let Some(path) = &size.svg {
        let caption = [
            format!(
                "Medians of {} interleaved rounds of {} signatures; shorter is better. The key has its table unless said.",
                size.rounds, size.signatures
            ),
            format!("{}, {}, benches/peers/run.sh; instructions by callgrind.", size.date, processor()),
        ];
        fs::write(path, plot::draw(&panels.concat(), &caption))?;
    }
    Ok(())
}

struct Bench {
    rounds: usize,
    in_flight: usize,
    digests: Arc<[B256]>,
    counts: Counts,
    answers: Arc<Answers>,
    runtime: Runtime,
}

/// One way from DER to y-parity.
struct Recovery {
    name: &'static str,
    cpu: Samples,
    instructions: Option<f64>,
}

impl Recovery {
    /// Beside the first of them all.
    fn cells(&self, all: &[Self]) -> [String; 5] {
        let ratio = |ratio: Option<f64>| ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let first = all.first();
        let instructions = first.and_then(|first| Some(self.instructions? / first.instructions?));
        [
            self.name.to_owned(),
            self.cpu.to_string(),
            ratio(first.map(|first| self.cpu.median() / first.cpu.median())),
            self.instructions.map(|count| count.to_string()).unwrap_or_default(),
            ratio(instructions),
        ]
    }
}

impl Bench {
    /// Before anything is measured: over the wire, too, both give the same signature for every digest.
    fn check(&self, client: &Client) -> Outcome {
        self.runtime.block_on(async {
            let peer = Contender::connect(Who::AlloySignerAws, client, &self.answers.key).await?;
            let ours = Contender::connect(Who::KmsSigner, client, &self.answers.key).await?;
            for digest in self.digests.iter() {
                let (theirs, ours) = (peer.sign(digest).await?, ours.sign(digest).await?);
                if theirs.is_none() || theirs != ours {
                    return Err(format!("for {digest} they give {theirs:?}, we {ours:?}").into());
                }
            }
            Ok(())
        })
    }

    fn recoveries(&self) -> Outcome<[Recovery; 5]> {
        let ways = [
            ("alloy-signer-aws", Who::AlloySignerAws),
            ("kms-signer", Who::KmsSigner),
            ("kms-signer, no table yet", Who::KmsSignerNoTable),
            ("libsecp256k1, by trial", Who::Libsecp256k1),
            ("libsecp256k1, verify only", Who::Libsecp256k1Verify),
        ];
        let signatures = self.digests.len();
        let spent: [Vec<Spent>; 5] = rounds(self.rounds, |turn| {
            let (_, who) = *ways.get(turn).ok_or("there is no such way")?;
            let keys = Keys::new(&self.answers, signatures)?;
            Spent::on(|| recovery::repeat(who, &self.answers, &keys, signatures))
        })?;
        let mut spent = spent.into_iter();
        Ok(ways.map(|(name, who)| Recovery {
            name,
            cpu: Samples::micros_each(&spent.next().unwrap_or_default(), |spent| spent.cpu, signatures),
            instructions: self.counts.get("recovery", who),
        }))
    }

    fn in_memory(&self, client: &Client) -> Outcome<[Row; 2]> {
        let [peer, no_parity, ours, sdk] =
            self.sign(client, 1, [Who::AlloySignerAws, Who::AlloySignerAwsNoParity, Who::KmsSigner, Who::Sdk])?;
        let micros = |spent: &[Spent]| Samples::micros_each(spent, |spent| spent.cpu, self.digests.len());
        Ok([
            Row::new("in memory: a signature, CPU µs").peer(micros(&peer)).ours(micros(&ours)).sdk(micros(&sdk)),
            Row::new("in memory: its sign_digest, no y-parity, CPU µs").peer(micros(&no_parity)),
        ])
    }

    fn over_loopback(&self, client: &Client, in_flight: usize) -> Outcome<[Row; 2]> {
        let [peer, ours, sdk] = self.sign(client, in_flight, [Who::AlloySignerAws, Who::KmsSigner, Who::Sdk])?;
        let quantities: [(_, fn(&Spent) -> _); 2] = [("CPU", |spent| spent.cpu), ("wall", |spent| spent.wall)];
        Ok(quantities.map(|(name, quantity)| {
            let micros = |spent: &[Spent]| Samples::micros_each(spent, quantity, self.digests.len());
            Row::new(format!("loopback, {in_flight} in flight: a signature, {name} µs"))
                .peer(micros(&peer))
                .ours(micros(&ours))
                .sdk(micros(&sdk))
        }))
    }

    fn sign<const N: usize>(&self, client: &Client, in_flight: usize, who: [Who; N]) -> Outcome<[Vec<Spent>; N]> {
        let mut contenders = Vec::new();
        for who in who {
            let contender = self.runtime.block_on(Contender::connect(who, client, &self.answers.key))?;
            self.runtime.block_on(contender.warm_up(&self.digests))?;
            contenders.push(Arc::new(contender));
        }
        rounds(self.rounds, |turn| {
            let contender = contenders.get(turn).ok_or("there is no such client")?;
            Spent::on(|| self.runtime.block_on(contender.sign_all(&self.digests, in_flight)))
        })
    }

    /// What `instructions.sh` counted for all three clients, if it did.
    fn counted(&self, what: &str, name: &str) -> Option<Row> {
        let count = |who| self.counts.get(what, who).map(|count| Samples::of([count]));
        Some(Row::new(name).peer(count(Who::AlloySignerAws)?).ours(count(Who::KmsSigner)?).sdk(count(Who::Sdk)?))
    }

    fn start(&self, server: SocketAddr, authority: Option<&tls::Authority>) -> Outcome<[Row; 4]> {
        let process = |who| -> Outcome<_> {
            let process = FirstSignature::new(who, server, &self.answers)?;
            Ok(match authority {
                Some(authority) => process.over_tls(&authority.pem),
                None => process,
            })
        };
        let known = process(Who::KmsSigner)?.knowing(&self.answers.public_key);
        let processes = [process(Who::AlloySignerAws)?, process(Who::KmsSigner)?, known];
        let [peer, ours, known] =
            rounds(self.rounds, |turn| processes.get(turn).ok_or("there is no such process")?.measure())?;
        let over = if authority.is_some() { "TLS" } else { "HTTP" };
        let row = |what, ours: &[Spent], quantity, unit| {
            Row::new(format!("start to first signature over {over}{what}, {unit} ms"))
                .peer(Samples::millis(&peer, quantity))
                .ours(Samples::millis(ours, quantity))
        };
        let knowing = ", public key known to kms-signer";
        Ok([
            row("", &ours, |spent| spent.wall, "wall"),
            row("", &ours, |spent| spent.cpu, "CPU"),
            row(knowing, &known, |spent| spent.wall, "wall"),
            row(knowing, &known, |spent| spent.cpu, "CPU"),
        ])
    }

    /// What each sends from its construction to its first signature.
    fn requests(&self) -> Outcome<[Row; 4]> {
        let digest = self.digests.first().ok_or("there is nothing to sign")?;
        let count = |who, known: bool| -> Outcome<[Samples; 2]> {
            let memory = Memory::new(self.answers.clone());
            let client = memory::client(memory.clone());
            let contender = self.runtime.block_on(async {
                if known {
                    Contender::known_key(&client, &self.answers.key, self.answers.public_key.clone()).await
                } else {
                    Contender::connect(who, &client, &self.answers.key).await
                }
            })?;
            let connected = memory.requests();
            self.runtime.block_on(contender.sign(digest))?;
            Ok([Samples::one(connected), Samples::one(memory.requests())])
        };
        let ([connected, signed], [ours_connected, ours_signed]) =
            (count(Who::AlloySignerAws, false)?, count(Who::KmsSigner, false)?);
        let [known_connected, known_signed] = count(Who::KmsSigner, true)?;
        Ok([
            Row::new("requests to connect").peer(connected.clone()).ours(ours_connected),
            Row::new("requests until the first signature").peer(signed.clone()).ours(ours_signed),
            Row::new("requests to connect, public key known to kms-signer").peer(connected).ours(known_connected),
            Row::new("requests until the first signature, the same").peer(signed).ours(known_signed),
        ])
    }

    fn streams(&self, server: SocketAddr) -> Outcome<[[String; 4]; 3]> {
        let process = |how, digests| Stream::new(how, server, &self.answers, digests);
        let processes = [
            process(How::SignHashes, 10_000)?,
            process(How::Tasks, 10_000)?,
            process(How::SignHashes, 1_000)?,
            process(How::Tasks, 1_000)?,
        ];
        // Each works long enough to need few rounds.
        let [ours, tasks, ours_few, tasks_few]: [Vec<Streamed>; 4] =
            rounds(self.rounds.div_ceil(6), |turn| processes.get(turn).ok_or("there is no such process")?.measure())?;
        let line = |name: &str, ours: &[Streamed], tasks: &[Streamed], quantity: fn(&Streamed) -> f64| {
            let [ours, tasks] = [ours, tasks].map(|all| Samples::of(all.iter().map(quantity)));
            let ratio = ours.median() / tasks.median();
            let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { String::new() };
            [name.to_owned(), ours.to_string(), tasks.to_string(), ratio]
        };
        Ok([
            line("10,000 digests over loopback, signatures/s", &ours, &tasks, |all| all.signatures_per_second),
            line("growth of the memory's peak by 1,000, kB", &ours_few, &tasks_few, |all| all.grown),
            line("growth of the memory's peak by 10,000, kB", &ours, &tasks, |all| all.grown),
        ])
    }

    fn panels_of_signing(&self, cpu: &Row) -> Vec<Panel> {
        let clients =
            [("alloy-signer-aws", Who::AlloySignerAws), ("kms-signer", Who::KmsSigner), ("bare SDK", Who::Sdk)];
        let medians = clients.into_iter().zip(cpu.medians());
        let times = medians.filter_map(|((name, _), median)| Some(Bar::micros(name, median?)));
        let counts = clients
            .into_iter()
            .filter_map(|(name, who)| Some(Bar::instructions(name, self.counts.get("loopback", who)?)));
        let title = format!("A signature over loopback, {} in flight", self.in_flight);
        panels(&title, times.collect(), counts.collect())
    }
}

fn panels_of_recovery(recoveries: &[Recovery]) -> Vec<Panel> {
    let times = recoveries.iter().map(|way| Bar::micros(way.name, way.cpu.median()));
    let counts = recoveries.iter().filter_map(|way| Some(Bar::instructions(way.name, way.instructions?)));
    panels("DER to a signature with y-parity", times.collect(), counts.collect())
}

/// Times and, where they were counted, instructions.
fn panels(title: &str, times: Vec<Bar>, counts: Vec<Bar>) -> Vec<Panel> {
    let all = [("CPU, µs", times), ("million instructions", counts)];
    let filled = all.into_iter().filter(|(_, bars)| !bars.is_empty());
    filled.map(|(unit, bars)| Panel { title: format!("{title}: {unit}"), bars }).collect()
}
