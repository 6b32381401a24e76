//! The statements of the service, prepared once.

use std::num::NonZeroU32;
use std::time::Duration;

use keyspaces::value::Counter;
use keyspaces::{Conditional, Error, Increment, Outcome, Page, Select, Session, Write};
use uuid::Uuid;

use crate::links::{Link, LinkOfOwner};

/// The prepared statements. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    claim: Conditional<Link, Link>,
    list: Write<LinkOfOwner>,
    link: Select<(&'static str,), Link>,
    of_owner: Select<(Uuid,), LinkOfOwner>,
    count: Increment<(Counter, &'static str)>,
    visits: Select<(&'static str,), (Counter,)>,
    share: Write<(Uuid, &'static str)>,
    shared: Select<(Uuid,), (String,)>,
}

/// The outcome of creating a link.
#[derive(Clone, Debug)]
pub enum Created {
    /// The link was created.
    New,
    /// Another link has the name.
    Taken(Option<Link>),
}

impl Store {
    /// Prepares all statements at once, in the session's keyspace.
    pub async fn prepare(session: &Session) -> Result<Self, Error> {
        let (claim, list, link, of_owner, count, visits, share, shared) = session
            .prepare_all([
                "INSERT INTO links (slug, id, target, owner, tags, created_at) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS",
                "INSERT INTO links_by_owner (owner, created_at, slug, target) VALUES (?, ?, ?, ?)",
                "SELECT slug, id, target, owner, tags, created_at FROM links WHERE slug = ?",
                "SELECT owner, created_at, slug, target FROM links_by_owner WHERE owner = ?",
                "UPDATE visits SET visits = visits + ? WHERE slug = ?",
                "SELECT visits FROM visits WHERE slug = ?",
                "INSERT INTO shares (share, slug) VALUES (?, ?) USING TTL ?",
                "SELECT slug FROM shares WHERE share = ?",
            ])
            .await?;
        Ok(Self { claim, list, link, of_owner, count, visits, share, shared })
    }

    /// Creates a link unless another one has its name.
    pub async fn create(&self, link: &Link) -> Result<Created, Error> {
        let outcome = match self.claim.execute(link).await? {
            // Throttled, or the answer was lost. The id shows whether the existing link is this one.
            Outcome::Unknown(why) => match self.claim.resolve(link).await? {
                Outcome::NotApplied(None) => Outcome::Unknown(why),
                resolved => resolved,
            },
            known => known,
        };
        match outcome {
            Outcome::Applied => {}
            Outcome::NotApplied(existing) => return Ok(Created::Taken(existing)),
            Outcome::Unknown(why) => return Err(why),
        }
        let Link { owner, created_at, slug, target, .. } = link.clone();
        self.list.execute(LinkOfOwner { owner, created_at, slug, target }).await?;
        Ok(Created::New)
    }

    /// The link of this name.
    pub async fn link(&self, slug: &str) -> Result<Option<Link>, Error> {
        self.link.one((slug,)).await
    }

    /// A page of an owner's links, the latest first.
    pub async fn links_of(
        &self,
        owner: Uuid,
        limit: NonZeroU32,
        cursor: Option<&str>,
    ) -> Result<Page<LinkOfOwner>, Error> {
        self.of_owner.with_page_size(limit).page((owner,), cursor).await
    }

    /// Counts that a link was followed. A throttled or lost increment is not repeated: it could count twice.
    pub async fn count(&self, slug: &str) -> Result<(), Error> {
        self.count.execute((Counter(1), slug)).await
    }

    /// The number of visits of a link.
    pub async fn visits(&self, slug: &str) -> Result<i64, Error> {
        Ok(self.visits.one((slug,)).await?.map_or(0, |(Counter(visits),)| visits))
    }

    /// Creates a token that leads to the link for a time.
    pub async fn share(&self, slug: &str, valid_for: Duration) -> Result<Uuid, Error> {
        let token = Uuid::new_v4();
        self.share.with_ttl(valid_for).execute((token, slug)).await?;
        Ok(token)
    }

    /// The name of the link that a token leads to, until it has expired.
    pub async fn shared(&self, token: Uuid) -> Result<Option<String>, Error> {
        Ok(self.shared.one((token,)).await?.map(|(slug,)| slug))
    }
}
