//! The memory of this process, searched by itself.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
};

use crate::secret::{Needle, WINDOW, mask};

/// Linux has it.
pub(crate) const MEMORY: &str = "/proc/self/mem";
const CHUNK: usize = 1 << 20;

/// What is left of a key in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Places at which eight bytes of it stand.
    pub(crate) windows: usize,
    /// The longest piece of it, in bytes.
    pub(crate) longest: usize,
    /// The longest piece below the end of the stack, where registers were saved by functions that have returned: no program
    /// has a say in that, and the next calls write over it. It counts for none of the above.
    pub(crate) spilled: usize,
}

/// Reads all that this process can write to, and looks for the needle.
pub(crate) struct Scan {
    memory: File,
    needle: Needle,
    /// The only place that ever holds a copy; it is passed over.
    buffer: Box<[u8]>,
}

impl Scan {
    pub(crate) fn new(needle: Needle) -> io::Result<Self> {
        Ok(Self { memory: File::open(MEMORY)?, needle, buffer: vec![0; CHUNK].into() })
    }

    pub(crate) fn look(&mut self) -> io::Result<Found> {
        // A thread that ends takes its stack away from under us.
        let mut last = self.look_once();
        for _ in 0..4 {
            if last.is_ok() {
                break;
            }
            last = self.look_once();
        }
        last
    }

    fn look_once(&mut self) -> io::Result<Found> {
        let mut found = Found::default();
        let own = self.buffer.as_ptr().addr();
        let own = own..own.saturating_add(self.buffer.len());
        let here = (&raw const found).addr();
        for region in writable()? {
            let end_of_stack = if region.contains(&here) { here } else { 0 };
            // One of the two is empty, but where the buffer itself lies.
            self.search(region.start..region.end.min(own.start), end_of_stack, &mut found)?;
            self.search(region.start.max(own.end)..region.end, end_of_stack, &mut found)?;
        }
        Ok(found)
    }

    fn search(&mut self, region: Range<usize>, end_of_stack: usize, found: &mut Found) -> io::Result<()> {
        let (mut at, mut run) = (region.start, Run::default());
        while at < region.end {
            let length = region.end.saturating_sub(at).min(CHUNK);
            let chunk = &mut self.buffer[..length];
            self.memory.seek(SeekFrom::Start(at as u64))?;
            self.memory.read_exact(chunk)?;
            mask(chunk);
            for place in self.needle.places(chunk) {
                let place = at.saturating_add(place);
                let length = run.grow(place);
                if place < end_of_stack {
                    found.spilled = found.spilled.max(length);
                } else {
                    found.windows = found.windows.saturating_add(1);
                    found.longest = found.longest.max(length);
                }
            }
            if length < CHUNK {
                break;
            }
            // The last bytes once more, for a window that begins in them.
            at = at.saturating_add(length).saturating_sub(WINDOW).saturating_add(1);
        }
        Ok(())
    }
}

/// Windows one after the other.
#[derive(Default)]
struct Run {
    last: Option<usize>,
    length: usize,
}

impl Run {
    fn grow(&mut self, place: usize) -> usize {
        let goes_on = self.last.is_some_and(|last| last.saturating_add(1) == place);
        self.length = if goes_on { self.length.saturating_add(1) } else { WINDOW };
        self.last = Some(place);
        self.length
    }
}

/// The parts of the address space that can be read and written.
fn writable() -> io::Result<Vec<Range<usize>>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let region = |line: &str| {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next()?, fields.next()?);
        let (start, end) = range.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        rights.starts_with("rw").then_some(number(start)?..number(end)?)
    };
    Ok(maps.lines().filter_map(region).collect())
}
