//! A rule of the contract, as its page states it.

/// The kinds of sources. Each source starts with one of these.
const SOURCES: [&str; 6] = ["spec ", "guide \"", "example \"", "field (", "RFC ", "inferred"];

const CONFIDENCES: [&str; 3] = ["high", "medium", "low"];

/// The parts of a rule. A missing part is empty.
#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) statement: String,
    pub(crate) source: String,
    pub(crate) confidence: String,
    pub(crate) refuted_by: String,
    /// Why no code implements the rule; `None` if code does.
    pub(crate) kept_by: Option<String>,
}

/// The rules of a page, in order.
pub(crate) fn read(page: &str) -> Vec<Rule> {
    let page = ["\n", page].concat();
    page.split("\n### ").filter(|section| section.starts_with("R-")).map(rule).collect()
}

fn rule(section: &str) -> Rule {
    let (id, text) = section.split_once('\n').unwrap_or((section, ""));
    // The continuation lines of an item are indented.
    let text = text.replace("\n  ", " ");
    let mut rule = Rule { id: id.trim().into(), ..Rule::default() };
    for line in text.lines() {
        match line.strip_prefix("- ").and_then(|item| item.split_once(": ")) {
            Some(("Source", value)) => rule.source = value.into(),
            Some(("Confidence", value)) => rule.confidence = value.into(),
            Some(("Refuted by", value)) => rule.refuted_by = value.into(),
            Some(("Kept by", value)) => rule.kept_by = Some(value.into()),
            _ => rule.statement.push_str(line),
        }
    }
    rule
}

impl Rule {
    /// The problems of the rule itself.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |good: bool, text: &str| {
            if !good {
                problems.push(format!("{}: {text}", self.id));
            }
        };
        check(!self.statement.is_empty(), "it says nothing");
        check(!self.source.is_empty(), "no source");
        for source in self.source.split("; ").filter(|source| !source.is_empty()) {
            check(SOURCES.iter().any(|kind| source.starts_with(kind)), &format!("{source:?} is no kind of source"));
        }
        check(!self.confidence.is_empty(), "no confidence");
        let confidence = self.confidence.as_str();
        check(confidence.is_empty() || CONFIDENCES.contains(&confidence), &format!("{confidence:?} is no confidence"));
        check(!self.refuted_by.is_empty(), "nothing refutes it");
        let why = self.kept_by.as_deref().map(|text| text.strip_prefix("nothing, because "));
        check(why != Some(None), "it does not say why nothing keeps it");
        problems
    }
}
