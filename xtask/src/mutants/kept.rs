//! The mutants that no test can notice, each with the reason: `proof/mutants.txt`.

use super::Tally;

/// A mutant that goes unnoticed, and why that does no harm.
struct Survivor {
    mutant: String,
    is_explained: bool,
}

pub(crate) struct Kept(Vec<Survivor>);

impl Kept {
    /// A line is a mutant, or indented and the reason for the one above; `#` begins a comment. One that survives in two
    /// places stands there twice.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut kept: Vec<Survivor> = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            match (line.starts_with(' '), kept.last_mut()) {
                (true, Some(survivor)) => survivor.is_explained = true,
                (true, None) => return Err(format!("proof/mutants.txt: a reason without a mutant: {line}")),
                (false, _) => kept.push(Survivor { mutant: line.to_owned(), is_explained: false }),
            }
        }
        match kept.iter().find(|survivor| !survivor.is_explained) {
            Some(Survivor { mutant, .. }) => Err(format!("proof/mutants.txt: a mutant without a reason: {mutant}")),
            None => Ok(Self(kept)),
        }
    }

    /// Where the list and what was found differ.
    pub(crate) fn complaints(&self, tally: &Tally) -> Vec<String> {
        let folder = format!("crates/{}/", tally.package());
        let ours = self.0.iter().map(|survivor| survivor.mutant.clone()).filter(|mutant| mutant.starts_with(&folder));
        let listed: Vec<String> = ours.collect();
        let unlisted = without(tally.missed(), &listed).into_iter().map(|mutant| format!("not in the list: {mutant}"));
        let gone = without(&listed, tally.missed()).into_iter().map(|mutant| format!("caught or gone: {mutant}"));
        unlisted.chain(gone).collect()
    }
}

/// What is in `all` more often than in `others`.
fn without(all: &[String], others: &[String]) -> Vec<String> {
    let mut others = others.to_vec();
    let mut left = Vec::new();
    for one in all {
        match others.iter().position(|other| other == one) {
            Some(place) => drop(others.swap_remove(place)),
            None => left.push(one.clone()),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(names: &[&str]) -> Tally {
        let outcome = |name: &&str| {
            let name = name.replace(": ", ":1:2: ");
            serde_json::json!({ "scenario": { "Mutant": { "name": name } }, "summary": "MissedMutant" })
        };
        let outcomes = serde_json::json!({ "outcomes": names.iter().map(outcome).collect::<Vec<_>>() });
        Tally::new("a", &outcomes, names.len()).unwrap()
    }

    #[test]
    fn a_survivor_is_listed_as_often_as_it_survives_and_the_list_holds_no_others() {
        let (one, other) = ("crates/a/src/b.rs: replace + with -", "crates/a/src/b.rs: replace == with !=");
        let list =
            format!("# What.\n\n{one}\n    It does\n    no harm.\n{one}\n  Nor here.\ncrates/ab/src/c.rs: x\n  y\n");
        let kept = Kept::read(&list).unwrap();
        for (found, expected) in [
            (&[one, one][..], &[][..]),
            (&[one], &["caught or gone: crates/a/src/b.rs: replace + with -"]),
            (&[one, one, one], &["not in the list: crates/a/src/b.rs: replace + with -"]),
            (&[one, other, one], &["not in the list: crates/a/src/b.rs: replace == with !="]),
        ] {
            assert_eq!(kept.complaints(&missed(found)), expected);
        }
    }

    #[test]
    fn each_has_a_reason() {
        for list in ["crates/a/src/b.rs: x\n", "crates/a/src/b.rs: x\ncrates/a/src/b.rs: y\n  z\n", "  z\n"] {
            assert!(Kept::read(list).is_err(), "{list}");
        }
    }
}
