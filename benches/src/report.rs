//! Prints the tables, and collects the exceeded budgets.

use crate::allocations::Allocations;
use crate::cases::Table;

/// The requirements that were not met.
#[derive(Default)]
pub(crate) struct Report {
    missed: Vec<String>,
}

impl Report {
    /// Prints a table, and checks its budget.
    pub(crate) fn table(&mut self, table: &mut Table, instructions: Option<&[u64]>) {
        println!("\n{}\n", table.title);
        println!("| | instructions | ratio | allocations: new + grown, bytes | wiped |");
        println!("|---|---|---|---|---|");
        let reference = instructions.and_then(|counts| counts.get(table.reference)).copied();
        for (number, case) in table.cases.iter_mut().enumerate() {
            let count = instructions.and_then(|counts| counts.get(number)).copied();
            let ratio = count.zip(reference).map(|(count, reference)| ratio(count, reference));
            let allocations = Allocations::of(&mut case.work);
            println!(
                "| {} | {} | {} | {allocations} | {} |",
                case.who,
                count.map_or_else(|| "not measured".into(), grouped),
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                if case.wipes { "yes" } else { "no" },
            );
            if let Some((budget, ratio)) = table.budget.zip(ratio).filter(|_| number == 0) {
                // Rounded to hundredths, because processors copy memory differently.
                let is_within = (ratio * 100.0).round() <= budget * 100.0;
                self.expect(is_within, &format!("{}: {ratio:.2}, at most {budget:.2}", table.title));
            }
        }
        if let Some(budget) = table.budget {
            println!("\nBudget: {budget:.2} × {}", table.cases[table.reference].who);
        }
    }

    pub(crate) fn expect(&mut self, is_so: bool, what: &str) {
        if !is_so {
            self.missed.push(what.to_owned());
        }
    }

    /// Prints the exceeded budgets. Returns whether there are none.
    pub(crate) fn end(&self) -> bool {
        println!();
        for missed in &self.missed {
            println!("over budget: {missed}");
        }
        if self.missed.is_empty() {
            println!("all within their budgets");
        }
        self.missed.is_empty()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn ratio(count: u64, reference: u64) -> f64 {
    count as f64 / reference as f64
}

/// Groups digits: `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
