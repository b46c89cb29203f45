//! A row of the table.

/// What one piece of work costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    pub(super) instructions: f64,
    /// Calls of malloc, calloc and realloc.
    pub(super) allocations: Option<f64>,
}

impl Cost {
    /// What remains of it without that.
    pub(super) fn without(self, other: Self) -> Self {
        Self {
            instructions: self.instructions - other.instructions,
            allocations: self.allocations.zip(other.allocations).map(|(all, part)| all - part),
        }
    }
}

/// What one job came to.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) job: String,
    /// The figure that is held against the bound: instructions, or a ratio. None in a row that only explains others.
    pub(super) ours: Option<f64>,
    pub(super) instructions: Option<f64>,
    pub(super) allocations: Option<f64>,
    pub(super) bound: Option<f64>,
    /// How much of the bound was allowed on top of it.
    pub(super) allowance: f64,
    pub(super) most_allocations: Option<f64>,
    /// Time, which depends on what else the machine does.
    pub(super) is_time: bool,
    /// What others take for it: those written by hand first.
    pub(super) beside: Vec<(String, Cost)>,
}

impl Row {
    /// Whether it is within its bounds, if it has any.
    pub(super) fn holds(&self) -> Option<bool> {
        let is_within =
            |figure: Option<f64>, most: Option<f64>| most.map(|most| figure.is_some_and(|figure| figure <= most));
        let checks = [is_within(self.ours, self.bound), is_within(self.allocations, self.most_allocations)];
        checks.into_iter().flatten().reduce(|all, one| all && one)
    }

    /// What is broken.
    pub(super) fn breach(&self) -> Option<String> {
        let figures = [("", self.ours, self.bound), (" allocations", self.allocations, self.most_allocations)];
        let broken: Vec<String> = figures
            .into_iter()
            .filter_map(|(unit, figure, most)| Some((unit, figure?, most?)))
            .filter(|(_, figure, most)| figure > most)
            .map(|(unit, figure, most)| format!("{}{unit} of at most {}", number(figure), number(most)))
            .collect();
        (self.holds() == Some(false)).then(|| format!("{}: {}", self.job, broken.join(", ")))
    }
}

/// With thousands set apart, or, where it is small, as a fraction.
pub(super) fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let mut shown = String::from(sign);
    for (at, digit) in digits.char_indices() {
        if at > 0 && digits.len().abs_diff(at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: f64, allocations: f64) -> Row {
        Row {
            job: "x".to_owned(),
            ours: Some(ours),
            allocations: Some(allocations),
            bound: Some(1_150.0),
            most_allocations: Some(2.0),
            ..Row::default()
        }
    }

    #[test]
    fn numbers_are_readable() {
        let shown = [0.0, 2.0, 0.97, 1.0003, -12.5, 999.0, 1_234.4, -1_234_567.0].map(number);
        assert_eq!(shown, ["0", "2", "0.97", "1.0003", "-12.5", "999", "1,234", "-1,234,567"]);
    }

    #[test]
    fn one_instruction_or_allocation_too_many_breaks_it() {
        assert_eq!((row(1_150.0, 2.0).holds(), row(1_150.0, 2.0).breach()), (Some(true), None));
        assert_eq!(row(1_151.0, 2.0).breach().as_deref(), Some("x: 1,151 of at most 1,150"));
        assert_eq!(row(1_150.0, 2.01).holds(), Some(false));
        assert_eq!(Row { ours: None, ..row(0.0, 0.0) }.holds(), Some(false), "what was not measured does not hold");
        assert_eq!(Row::default().holds(), None);
    }
}
