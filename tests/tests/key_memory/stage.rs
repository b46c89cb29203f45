//! What a scene is played on: one key in one process, and the looks that were taken.

use std::io;

use cometly_core::{Api, ApiKey, BaseUrl};

use crate::{
    BoxError,
    scan::{Found, Scan},
    secret::Recipe,
};

/// One way in which a program handles its key, and what may be left of it afterwards.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) left: Left,
    /// Ends with everything dropped that ever held the key.
    pub(crate) play: fn(&mut Stage) -> Result<(), BoxError>,
}

/// What must be left once the last owner is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Nothing,
    /// Not wiped: if nothing is found here, the search finds nothing anywhere.
    Something,
    /// Whatever is found is reported.
    Told,
}

pub(crate) struct Stage {
    pub(crate) recipe: Recipe,
    /// A server in another process.
    pub(crate) server: String,
    scan: Scan,
    looks: Looks,
}

/// What the looks came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looks {
    /// The fewest windows while there was an owner; `None` if it was not counted.
    pub(crate) alive: Option<usize>,
    /// The most that was found when there was none.
    pub(crate) left: Found,
}

impl Stage {
    pub(crate) fn new(recipe: Recipe, server: String) -> io::Result<Self> {
        Ok(Self { recipe, server, scan: Scan::new(recipe.needle())?, looks: Looks::default() })
    }

    /// An API at the server, opened by the key.
    pub(crate) fn api(&self) -> Result<Api, BoxError> {
        let base_url: BaseUrl = self.server.parse()?;
        Ok(Api::builder(ApiKey::new(self.recipe.key())?).base_url(base_url).build())
    }

    /// The key has an owner.
    pub(crate) fn alive(&mut self) -> io::Result<()> {
        let found = self.scan.look()?.windows;
        self.looks.alive = Some(self.looks.alive.map_or(found, |fewest| fewest.min(found)));
        Ok(())
    }

    /// The key has no owner left.
    pub(crate) fn gone(&mut self) -> io::Result<()> {
        let found = self.scan.look()?;
        let left = &mut self.looks.left;
        left.windows = left.windows.max(found.windows);
        left.longest = left.longest.max(found.longest);
        left.spilled = left.spilled.max(found.spilled);
        Ok(())
    }

    /// Plays a scene to its end.
    pub(crate) fn play(mut self, scene: &Scene) -> Result<Looks, BoxError> {
        (scene.play)(&mut self)?;
        self.gone()?;
        Ok(self.looks)
    }
}

/// What the registers hold that memchr loads at once to search a text for the key: four of 32 bytes.
const REGISTERS: usize = 128;

impl Looks {
    /// What is wrong with them.
    pub(crate) fn complaint(&self, left: Left) -> Option<&'static str> {
        match (self.alive, left, self.left.windows) {
            (None | Some(0), ..) => Some("not found while it was there"),
            (_, Left::Nothing, 1..) => Some("found after its last owner was gone"),
            (_, Left::Nothing, _) if self.left.spilled > REGISTERS => Some("found on the stack"),
            (_, Left::Something, 0) => Some("not found where nothing is wiped"),
            _ => None,
        }
    }
}
