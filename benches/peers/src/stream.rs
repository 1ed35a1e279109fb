//! `sign_hashes` beside tasks spawned by hand: many digests over one signer, on one thread, in a process of its own, so that its
//! peak of memory is that of this work.

use std::{
    env, fs,
    net::SocketAddr,
    pin::pin,
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use alloy_primitives::B256;
use clap::{Args, ValueEnum};
use futures_util::TryStreamExt;
use kms_signer::{KeyArn, KmsSigner};

use crate::{
    Outcome,
    answers::{Answers, digest_of},
    contender::{Contender, Who},
    loopback, runtime,
};

#[derive(Args, Clone)]
pub(crate) struct Stream {
    #[arg(long)]
    how: How,
    #[arg(long)]
    server: SocketAddr,
    #[arg(long)]
    key: String,
    /// How many digests to sign.
    #[arg(long)]
    digests: usize,
    /// How many different ones the server has answers for.
    #[arg(long)]
    known: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// `KmsSigner::sign_hashes`, in order.
    SignHashes,
    /// Tasks that take the next digest each; the signatures come in any order and are dropped.
    Tasks,
}

/// What the client lets out at a time.
pub(crate) const TASKS: usize = 64;
/// So many are signed beforehand.
const UNMEASURED: usize = 2_000;

pub(crate) struct Streamed {
    pub(crate) signatures_per_second: f64,
    /// How much higher the peak of resident memory is after the work, in kilobytes.
    pub(crate) grown: f64,
}

impl Stream {
    pub(crate) fn new(how: How, server: SocketAddr, answers: &Answers, digests: usize) -> Outcome<Self> {
        Ok(Self { how, server, key: answers.key.to_string(), digests, known: answers.signed.len().try_into()? })
    }

    /// In a new process: prints seconds and kilobytes.
    pub(crate) fn run(self) -> Outcome {
        runtime()?.block_on(async {
            let key: KeyArn = self.key.parse()?;
            let contender = Arc::new(Contender::connect(Who::KmsSigner, &loopback::client(self.server), &key).await?);
            let Contender::Ours(signer) = contender.as_ref() else { return Err("another client signs".into()) };
            let known: Arc<[B256]> = (0..self.known).map(digest_of).collect();
            let digests: Arc<[B256]> = known.iter().copied().cycle().take(self.digests).collect();

            // The key has its table then, all connections are open, and the allocator has what it keeps.
            contender.sign_all(&known.iter().copied().cycle().take(UNMEASURED).collect(), TASKS).await?;
            let (before, started) = (peak_memory()?, Instant::now());
            match self.how {
                How::SignHashes => in_order(signer, &digests).await?,
                How::Tasks => contender.sign_all(&digests, TASKS).await?,
            }
            println!("{} {}", started.elapsed().as_secs_f64(), peak_memory()? - before);
            Ok(())
        })
    }

    pub(crate) fn measure(&self) -> Outcome<Streamed> {
        let how = self.how.to_possible_value().ok_or("a way without a name")?;
        let output = Command::new(env::current_exe()?)
            .args(["stream", "--how", how.get_name(), "--server", &self.server.to_string(), "--key", &self.key])
            .args(["--digests", &self.digests.to_string(), "--known", &self.known.to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err("the process that signs many failed".into());
        }
        let printed = String::from_utf8(output.stdout)?;
        let (seconds, grown) = printed.trim().split_once(' ').ok_or("the process printed something else")?;
        Ok(Streamed { signatures_per_second: self.digests as f64 / seconds.parse::<f64>()?, grown: grown.parse()? })
    }
}

/// Fails if a signature is not that of the digest in its place.
async fn in_order(signer: &KmsSigner, digests: &Arc<[B256]>) -> Outcome {
    let (lazily, mut next) = (digests.clone(), 0..digests.len());
    let lazily = std::iter::from_fn(move || lazily.get(next.next()?).copied());
    let (mut signatures, mut done) = (pin!(signer.sign_hashes(lazily)), 0);
    while let Some(signature) = signatures.try_next().await? {
        // Every one would cost more than the signing; each signature was verified for its own digest anyway.
        if done % 1000 == 0 {
            let digest = digests.get(done).ok_or("a signature too many")?;
            if signature.recover_address_from_prehash(digest)? != signer.address() {
                return Err(format!("signature {done} is that of another digest").into());
            }
        }
        done += 1;
    }
    if done == digests.len() { Ok(()) } else { Err(format!("{done} of {} signatures", digests.len()).into()) }
}

/// `VmHWM`, in kilobytes.
fn peak_memory() -> Outcome<i64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system tells no peak of memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
