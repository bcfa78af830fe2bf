//! People found in the files: ids, zones and devices.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::zone::Zone;
use crate::{ArchiveError, Options, identity};

/// A person's place in [`People`].
pub(crate) type Who = usize;

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) user_id: Uuid,
    pub(crate) zone: Arc<Zone>,
    /// Devices found in records or profiles.
    pub(crate) devices: BTreeSet<Uuid>,
    /// True if a file has a profile of this person.
    pub(crate) has_profile: bool,
}

/// All people in order of appearance.
#[derive(Clone, Debug)]
pub(crate) struct People {
    all: Vec<Person>,
    by_name: HashMap<String, Who>,
    by_device: HashMap<Uuid, Who>,
    zone: Arc<Zone>,
    zones: BTreeMap<String, Arc<Zone>>,
}

impl People {
    pub(crate) fn new(options: &Options) -> Result<Self, ArchiveError> {
        let mut zones = BTreeMap::new();
        for (name, zone) in &options.zones {
            zones.insert(name.clone(), Arc::new(Zone::new(zone)?));
        }
        Ok(Self {
            all: Vec::new(),
            by_name: HashMap::new(),
            by_device: HashMap::new(),
            zone: Arc::new(Zone::new(&options.zone)?),
            zones,
        })
    }

    pub(crate) fn all(&self) -> &[Person] {
        &self.all
    }

    pub(crate) fn get(&self, who: Who) -> &Person {
        &self.all[who]
    }

    /// The person of this name, who has one device of the same name, and that device.
    pub(crate) fn named(&mut self, name: &str) -> (Who, Uuid) {
        let device = identity::device_id(name);
        let who = match self.by_name.get(name) {
            Some(&who) => who,
            None => self.add(name, identity::user_id(name)),
        };
        self.all[who].devices.insert(device);
        (who, device)
    }

    /// The owner of a device; without a profile, a person named after the device.
    pub(crate) fn owning(&mut self, device: Uuid) -> Who {
        if let Some(&who) = self.by_device.get(&device) {
            return who;
        }
        let name = device.simple().to_string();
        let who = self.add(&name, identity::user_id(&name));
        self.all[who].devices.insert(device);
        self.by_device.insert(device, who);
        who
    }

    /// The person with this id, who owns these devices.
    pub(crate) fn profiled(&mut self, user_id: Uuid, devices: &[Uuid]) -> Who {
        let name = user_id.simple().to_string();
        let who = match self.by_name.get(&name) {
            Some(&who) => who,
            None => self.add(&name, user_id),
        };
        self.all[who].has_profile = true;
        for &device in devices {
            self.all[who].devices.insert(device);
            self.by_device.entry(device).or_insert(who);
        }
        who
    }

    fn add(&mut self, name: &str, user_id: Uuid) -> Who {
        let who = self.all.len();
        self.all.push(Person {
            name: name.to_owned(),
            user_id,
            zone: Arc::clone(self.zones.get(name).unwrap_or(&self.zone)),
            devices: BTreeSet::new(),
            has_profile: false,
        });
        self.by_name.insert(name.to_owned(), who);
        who
    }
}
