//! Processor and wall time, in rounds that alternate between the clients.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;

/// What a piece of work took.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    /// Processor time, in user and system mode, of the thread that worked.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

impl Spent {
    pub(crate) fn on(work: impl FnOnce() -> Outcome) -> Outcome<Self> {
        let (cpu, wall) = (cpu_time(ClockId::ThreadCPUTime)?, Instant::now());
        work()?;
        Ok(Self { wall: wall.elapsed(), cpu: cpu_time(ClockId::ThreadCPUTime)?.saturating_sub(cpu) })
    }
}

/// The processor time of this process with all its threads, from its start.
pub(crate) fn process_cpu_time() -> Outcome<Duration> {
    cpu_time(ClockId::ProcessCPUTime)
}

fn cpu_time(clock: ClockId) -> Outcome<Duration> {
    let time = clock_gettime(clock);
    Ok(Duration::new(time.tv_sec.try_into()?, time.tv_nsec.try_into()?))
}

/// Lets each of the `N` do its work once a round, forwards and backwards in turn, so that what drifts with time or
/// depends on who went before meets all alike. Before the first round each works once unmeasured.
pub(crate) fn rounds<T, const N: usize>(
    count: usize,
    mut work: impl FnMut(usize) -> Outcome<T>,
) -> Outcome<[Vec<T>; N]> {
    let mut all = [const { Vec::new() }; N];
    for who in 0..N {
        work(who)?;
    }
    for round in 0..count {
        let mut order: Vec<_> = all.iter_mut().enumerate().collect();
        if !round.is_multiple_of(2) {
            order.reverse();
        }
        for (who, spent) in order {
            spent.push(work(who)?);
        }
    }
    Ok(all)
}

/// The processor's name where the system tells it.
pub(crate) fn processor() -> String {
    fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("model name")).map(str::to_owned))
        .map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned())
        .unwrap_or_else(|| "processor unknown".to_owned())
}
