//! Plots renewals and refreshes over a day: with a timer for each session, and with a session set.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const PANEL: f64 = 150.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;
const GAP: f64 = 60.0;

/// An SVG with two panels of requests per minute. Each panel has its own scale.
pub(crate) fn draw(by_themselves: &[u32], in_a_set: &[u32]) -> String {
    let (width, height) = (LEFT + WIDTH + 20.0, TOP + PANEL * 2.0 + GAP + 40.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    panel(&mut svg, TOP, by_themselves, "each by its own timer", "#b03030");
    panel(&mut svg, TOP + PANEL + GAP, in_a_set, "in a SessionSet", "#2060a0");
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: f64, minutes: &[u32], title: &str, color: &str) {
    let bottom = top + PANEL;
    let most = minutes.iter().max().copied().unwrap_or_default();
    let step = WIDTH / f64::from(u32::try_from(minutes.len()).unwrap_or(u32::MAX));
    let mut line = String::new();
    let mut x = LEFT;
    for count in minutes {
        let y = bottom - PANEL * f64::from(*count) / f64::from(most.max(1));
        write!(line, "{x:.1},{y:.1} ").expect("a string grows");
        x += step;
    }
    let title = format!("Renewals and refreshes per minute, {title}: {most} at the most");
    writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{title}</text>\n\
         <path d=\"M{LEFT} {top}V{bottom}H{}\" fill=\"none\" stroke=\"#888\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most}</text>\n\
         <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n\
         <polyline points=\"{}\" fill=\"none\" stroke=\"{color}\"/>",
        top - 10.0,
        LEFT + WIDTH,
        LEFT - 6.0,
        top + 10.0,
        LEFT - 6.0,
        line.trim_end(),
    )
    .expect("a string grows");
    for hour in (0_u32..=24).step_by(4) {
        let x = LEFT + WIDTH * f64::from(hour) / 24.0;
        writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{hour}:00</text>", bottom + 16.0)
            .expect("a string grows");
    }
}
