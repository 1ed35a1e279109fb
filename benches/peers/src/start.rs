//! From the start of a process to its first signature.

use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use alloy_primitives::{B256, hex};
use clap::Args;
use kms_signer::{KeyArn, PublicKey};

use crate::{
    Outcome,
    answers::Answers,
    contender::{Contender, Who},
    loopback,
    measure::{Spent, process_cpu_time},
    runtime, tls,
};

/// What a process that signs once has to know.
#[derive(Args, Clone)]
pub(crate) struct FirstSignature {
    #[arg(long)]
    who: Who,
    #[arg(long)]
    server: SocketAddr,
    #[arg(long)]
    key: String,
    #[arg(long)]
    digest: B256,
    /// The public key as SEC 1 bytes in hexadecimal, so that KMS need not be asked for it.
    #[arg(long)]
    public_key: Option<String>,
    /// The certificate in PEM that the client is to trust. Without, plain HTTP.
    #[arg(long, allow_hyphen_values = true)]
    authority: Option<String>,
}

impl FirstSignature {
    pub(crate) fn new(who: Who, server: SocketAddr, answers: &Answers) -> Outcome<Self> {
        let signed = answers.signed.first().ok_or("there is nothing to sign")?;
        Ok(Self { who, server, key: answers.key.to_string(), digest: signed.digest, public_key: None, authority: None })
    }

    pub(crate) fn knowing(self, public_key: &PublicKey) -> Self {
        Self { public_key: Some(hex::encode(public_key.to_sec1())), ..self }
    }

    pub(crate) fn over_tls(self, authority: &str) -> Self {
        Self { authority: Some(authority.to_owned()), ..self }
    }

    /// In a new process: signs, and prints how much processor time it took until then.
    pub(crate) fn run(self) -> Outcome {
        runtime()?.block_on(async {
            let client = match &self.authority {
                Some(authority) => tls::client(self.server, authority)?,
                None => loopback::client(self.server),
            };
            let key: KeyArn = self.key.parse()?;
            let contender = match &self.public_key {
                Some(hexadecimal) => {
                    let public_key = PublicKey::from_sec1(&hex::decode(hexadecimal)?)?;
                    Contender::known_key(&client, &key, public_key).await?
                }
                None => Contender::connect(self.who, &client, &key).await?,
            };
            contender.sign(&self.digest).await?;
            println!("{}", process_cpu_time()?.as_nanos());
            Ok(())
        })
    }

    /// Starts that process and waits for its signature. The wall time includes starting it.
    pub(crate) fn measure(&self) -> Outcome<Spent> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["first-signature", "--who", &clap_name(self.who)?, "--server", &self.server.to_string()]);
        command.args(["--key", &self.key, "--digest", &self.digest.to_string()]);
        if let Some(public_key) = &self.public_key {
            command.args(["--public-key", public_key]);
        }
        if let Some(authority) = &self.authority {
            command.args(["--authority", authority]);
        }
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("the process has no output")?).read_line(&mut line)?;
        let wall = started.elapsed();
        if !child.wait()?.success() {
            return Err("the process that signs once failed".into());
        }
        Ok(Spent { cpu: Duration::from_nanos(line.trim().parse()?), wall })
    }
}

fn clap_name(who: Who) -> Outcome<String> {
    let value = clap::ValueEnum::to_possible_value(&who).ok_or("a client without a name")?;
    Ok(value.get_name().to_owned())
}
