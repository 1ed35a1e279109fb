//! The instruction counts that `instructions.sh` made: lines of what, who and how many, with tabs between them.

use std::{collections::HashMap, fs, path::Path};

use clap::ValueEnum;

use crate::{Outcome, contender::Who};

#[derive(Default)]
pub(crate) struct Counts(HashMap<(String, String), f64>);

impl Counts {
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let mut counts = HashMap::new();
        for line in fs::read_to_string(path)?.lines() {
            let mut fields = line.split('\t');
            let (Some(what), Some(who), Some(count), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(format!("{} has a line that is no count: {line}", path.display()).into());
            };
            counts.insert((what.to_owned(), who.to_owned()), count.parse()?);
        }
        Ok(Self(counts))
    }

    /// `what` by its name on the command line.
    pub(crate) fn get(&self, what: &str, who: Who) -> Option<f64> {
        let who = who.to_possible_value()?;
        self.0.get(&(what.to_owned(), who.get_name().to_owned())).copied()
    }
}
