//! The clients that are compared.

use keyspaces::{Session, Write};
use tokio::time::Instant;

use crate::Result;
use crate::bare::{Bare, Policy};
use crate::paced::{Concurrency, Cubic, Paced};

pub(crate) const NAMES: [&str; 5] = [
    "ours",
    "concurrency: AIMD by table",
    "rate: CUBIC as in the AWS SDKs",
    "driver: its default policy",
    "driver: the policy of AWS's Java helper",
];

/// How a call ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    Written,
    GaveUp,
    PastDeadline,
}

pub(crate) enum Client {
    Ours(Write<(i64, i64)>),
    Concurrency(Paced<Concurrency>),
    Cubic(Paced<Cubic>),
    Bare(Bare),
}

impl Client {
    pub(crate) async fn new(name: &str, session: &Session, table: &str) -> Result<Self> {
        let text = format!("INSERT INTO {table} (task, write) VALUES (?, ?)");
        let bare = async |policy| Bare::new(session, &text, policy).await;
        Ok(match NAMES.iter().position(|known| *known == name) {
            Some(1) => Self::Concurrency(Paced::new(bare(Policy::None).await?, Concurrency::default())),
            Some(2) => Self::Cubic(Paced::new(bare(Policy::None).await?, Cubic::default())),
            Some(3) => Self::Bare(bare(Policy::Default).await?),
            Some(4) => Self::Bare(bare(Policy::JavaHelper).await?),
            _ => Self::Ours(session.prepare(&text).await?),
        })
    }

    pub(crate) async fn write(&self, task: i64, write: i64, deadline: Instant) -> Ended {
        match self {
            Self::Ours(insert) => {
                let left = deadline.saturating_duration_since(Instant::now());
                match insert.with_deadline(left).execute((task, write)).await {
                    Ok(()) => Ended::Written,
                    Err(_) if Instant::now() >= deadline => Ended::PastDeadline,
                    // It gives up when its deadline leaves no time for the wait that is due.
                    Err(error) if error.to_string().contains("deadline") => Ended::PastDeadline,
                    Err(_) => Ended::GaveUp,
                }
            }
            Self::Concurrency(paced) => paced.write(task, write, deadline).await,
            Self::Cubic(paced) => paced.write(task, write, deadline).await,
            Self::Bare(bare) => bare.write(task, write, deadline).await,
        }
    }
}
