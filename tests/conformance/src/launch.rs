//! Programs that cargo built beside a test, and their ends.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use crate::PATIENCE;

/// An example, with the environment of a user whose KMS is at `kms`.
///
/// # Panics
///
/// If it was not built: `cargo test` builds those of its own package only.
pub fn example(name: &str, kms: &str) -> Command {
    program(&format!("examples/{name}"), kms)
}

/// A program by its path in cargo's folder for this profile, for instance `lambda`.
///
/// # Panics
///
/// If it was not built.
pub fn program(path: &str, kms: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(path);
    assert!(
        path.exists(),
        "{} is missing; run cargo build --examples, and cargo build -p lambda -p remote-signer -p tezos-vault",
        path.display()
    );
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("AWS_ENDPOINT_URL", kms)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

/// A process without input that ends with the test, whatever its outcome, and with it what it started.
pub struct Process {
    child: Child,
    ended: bool,
}

impl Process {
    /// Starts it in a process group of its own.
    pub fn start(command: &mut Command) -> Self {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        Self { child: command.stdin(Stdio::null()).spawn().unwrap(), ended: false }
    }

    /// Whether it has ended by itself. What it started is left to it then.
    pub fn has_ended(&mut self) -> bool {
        self.ended |= self.child.try_wait().unwrap().is_some();
        self.ended
    }

    /// What it prints, where that was piped, once.
    pub fn lines(&mut self) -> Lines {
        let lines = BufReader::new(self.child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || lines.for_each(|line| drop(sender.send(line))));
        Lines(receiver)
    }

    /// Sends it a signal by its name, for instance TERM, and waits for its end. What it started is left to it.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn signal(&mut self, name: &str) -> ExitStatus {
        let signal = format!("-{name}");
        assert!(Command::new("kill").args([&signal, &self.child.id().to_string()]).status().unwrap().success());
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it goes on after the signal {name}");
            thread::sleep(Duration::from_millis(5));
        };
        self.ended = true;
        status
    }

    /// The group has the id of the process, which is nobody else's while it has not been waited for or others are in the group.
    fn end(&mut self) {
        if cfg!(unix) {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.ended = true;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            self.end();
        }
    }
}

/// What a process prints. It is read whether or not anybody asks for it, so that the process is never held up.
pub struct Lines(Receiver<String>);

impl Lines {
    /// The next line.
    ///
    /// # Panics
    ///
    /// If there is none, because the process has ended or hangs.
    pub fn wait(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("it ended, see above, or prints nothing")
    }
}
