//! The result as a picture: horizontal bars in SVG, on a transparent ground, dark or light as the reader's system is.

use std::fmt::Write;

/// Bars of one quantity, which begin at zero.
#[derive(Clone)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

#[derive(Clone)]
pub(crate) struct Bar {
    label: &'static str,
    value: f64,
    text: String,
}

/// In user units; a panel is as high as its bars need.
const PANEL: f64 = 440.0;
const LABEL: f64 = 176.0;
const LONGEST: f64 = 180.0;
const LINE: f64 = 26.0;
const TOP: f64 = 34.0;
const GAP: f64 = 18.0;
const MARGIN: f64 = 16.0;

const STYLE: &str = "
    text { font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #24292f }
    .title { font-weight: 600 }
    .caption { font-size: 11px; fill: #57606a }
    .other { fill: #8c959f }
    .ours { fill: #0969da }
    @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3 }
        .caption { fill: #9198a1 }
        .other { fill: #6e7681 }
        .ours { fill: #4493f8 }
    }
";

/// Two panels to a line.
pub(crate) fn draw(panels: &[Panel], caption: &[String]) -> String {
    let mut body = String::new();
    let mut y = MARGIN;
    for line in panels.chunks(2) {
        for (column, panel) in line.iter().enumerate() {
            panel.draw(&mut body, MARGIN + if column == 0 { 0.0 } else { PANEL }, y);
        }
        let bars = line.iter().map(|panel| panel.bars.len()).max().unwrap_or_default();
        y += TOP + bars as f64 * LINE + GAP;
    }
    for line in caption {
        y += 16.0;
        text(&mut body, "caption", "start", MARGIN, y - GAP / 2.0, line);
    }
    let (width, height) = (2.0 * (PANEL + MARGIN), y + MARGIN / 2.0);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\">\n<style>{STYLE}</style>\n{body}</svg>\n"
    )
}

impl Bar {
    pub(crate) fn micros(label: &'static str, value: f64) -> Self {
        Self { label, value, text: format!("{value:.0}") }
    }

    pub(crate) fn instructions(label: &'static str, value: f64) -> Self {
        Self { label, value, text: format!("{:.2}", value / 1e6) }
    }
}

impl Panel {
    fn draw(&self, out: &mut String, x: f64, y: f64) {
        text(out, "title", "start", x, y + 14.0, &self.title);
        let greatest = self.bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
        for (index, bar) in self.bars.iter().enumerate() {
            let y = y + TOP + index as f64 * LINE;
            let length = bar.value / greatest * LONGEST;
            let class = if bar.label.starts_with("kms-signer") { "ours" } else { "other" };
            text(out, "label", "end", x + LABEL - 8.0, y + 13.0, bar.label);
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"18\" rx=\"2\"/>",
                x + LABEL
            );
            text(out, "value", "start", x + LABEL + length + 6.0, y + 13.0, &bar.text);
        }
    }
}

fn text(out: &mut String, class: &str, anchor: &str, x: f64, y: f64, text: &str) {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ =
        writeln!(out, "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{escaped}</text>");
}
