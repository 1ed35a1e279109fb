//! The result, as a Markdown table.

use std::{fmt, time::Duration};

use crate::measure::Spent;

/// One line of the table. What a client does not do stays empty.
pub(crate) struct Row {
    name: String,
    peer: Option<Samples>,
    ours: Option<Samples>,
    sdk: Option<Samples>,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), peer: None, ours: None, sdk: None }
    }

    pub(crate) fn peer(self, samples: Samples) -> Self {
        Self { peer: Some(samples), ..self }
    }

    pub(crate) fn ours(self, samples: Samples) -> Self {
        Self { ours: Some(samples), ..self }
    }

    pub(crate) fn sdk(self, samples: Samples) -> Self {
        Self { sdk: Some(samples), ..self }
    }

    /// Of alloy-signer-aws, kms-signer and the bare SDK.
    pub(crate) fn medians(&self) -> [Option<f64>; 3] {
        [&self.peer, &self.ours, &self.sdk].map(|samples| Some(samples.as_ref()?.median()))
    }

    /// Ours to the peer's, and to the bare SDK's.
    fn ratios(&self) -> [Option<f64>; 2] {
        let [peer, ours, sdk] = self.medians();
        [peer, sdk].map(|other| Some(ours? / other?))
    }
}

/// Values of one quantity in one unit, sorted.
#[derive(Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn one(value: usize) -> Self {
        // Sizes and counts here are far below 2⁵³.
        Self(vec![value as f64])
    }

    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Microseconds of each signature.
    pub(crate) fn micros_each(spent: &[Spent], quantity: fn(&Spent) -> Duration, signatures: usize) -> Self {
        Self::of(spent.iter().map(|spent| quantity(spent).as_secs_f64() * 1e6 / signatures as f64))
    }

    pub(crate) fn millis(spent: &[Spent], quantity: fn(&Spent) -> Duration) -> Self {
        Self::of(spent.iter().map(|spent| quantity(spent).as_secs_f64() * 1e3))
    }

    /// The middle value, or the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let middle = |index: usize| self.0.get(index).copied().unwrap_or(f64::NAN);
        let half = self.0.len() / 2;
        if self.0.len().is_multiple_of(2) {
            f64::midpoint(middle(half.saturating_sub(1)), middle(half))
        } else {
            middle(half)
        }
    }
}

/// The median, and the least and the greatest where there is more than one value.
impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [value] if value.fract() == 0.0 => write!(f, "{value}"),
            [value] => write!(f, "{}", short(*value)),
            [least, .., greatest] => write!(f, "{} ({}–{})", short(self.median()), short(*least), short(*greatest)),
            [] => Ok(()),
        }
    }
}

/// Three significant digits are more than such measurements repeat.
fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

pub(crate) fn print(rows: &[Row]) {
    let header = ["median (min–max)", "alloy-signer-aws", "kms-signer", "bare SDK", "/ alloy-signer-aws", "/ bare SDK"];
    print_lines(&header, &rows.iter().map(cells).collect::<Vec<_>>());
}

/// Any table, each column as wide as its widest cell.
pub(crate) fn print_lines<const N: usize>(header: &[&str; N], lines: &[[String; N]]) {
    let header = header.map(str::to_owned);
    let all = || std::iter::once(&header).chain(lines);
    let width = |column: usize| all().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    for (number, line) in all().enumerate() {
        let cells: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("| {} |", cells.join(" | "));
        if number == 0 {
            println!("|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        }
    }
}

fn cells(row: &Row) -> [String; 6] {
    let text = |samples: &Option<Samples>| samples.as_ref().map(ToString::to_string).unwrap_or_default();
    let [to_peer, to_sdk] = row.ratios().map(|ratio| ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default());
    [row.name.clone(), text(&row.peer), text(&row.ours), text(&row.sdk), to_peer, to_sdk]
}
