use std::path::PathBuf;

use clap::{Args, ValueEnum};
use keyspaces::monitoring::{
    Alarm, Dashboard, Table, Topic, cloudformation, put_metric_alarm_input, recommended, terraform,
};

use crate::failure::{Failure, Status};
use crate::{input, output};

const EXAMPLE: &str = "\
Example:
  keyspaces alarms schema.cql --topic arn:aws:sns:us-east-1:111122223333:alerts --format json
  keyspaces alarms schema.cql --format cloudformation > alarms.json
  keyspaces alarms schema.cql --format terraform --dashboard us-east-1 > alarms.tf.json

It needs no service: the alarms are documents, to be reviewed and applied by a tool of your choice.";

/// Print the recommended CloudWatch alarms of the tables that files define
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Alarms {
    /// Files of CREATE statements; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// SNS topic to notify
    #[arg(long, value_name = "ARN")]
    topic: Option<String>,
    /// Add a dashboard of each table in this Region; for cloudformation and terraform
    #[arg(long, value_name = "REGION")]
    dashboard: Option<String>,
    /// What to print
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Each alarm and its reason
    Human,
    /// One JSON document an alarm, for `aws cloudwatch put-metric-alarm --cli-input-json`
    Json,
    /// A CloudFormation template in JSON
    Cloudformation,
    /// Terraform's configuration in JSON
    Terraform,
}

impl Alarms {
    pub(crate) fn run(self) -> Result<Status, Failure> {
        let topic = self.topic.map(Topic::new).transpose()?;
        if self.dashboard.is_some() && !matches!(self.format, Format::Cloudformation | Format::Terraform) {
            return Err(Failure::usage("--dashboard needs --format cloudformation or --format terraform"));
        }
        let (mut alarms, mut dashboards): (Vec<Alarm>, Vec<Dashboard>) = (Vec::new(), Vec::new());
        for definition in &input::definitions(&self.files)?.tables {
            let table = Table::of(definition)?;
            for alarm in recommended(&table) {
                alarms.push(match &topic {
                    Some(topic) => alarm.notifying(topic)?,
                    None => alarm,
                });
            }
            if let Some(region) = &self.dashboard {
                dashboards.push(Dashboard::of(&table, region)?);
            }
        }
        match self.format {
            Format::Human => {
                for alarm in &alarms {
                    output::answer(format_args!("{}\n    {}\n", alarm.name(), alarm.reason()))?;
                }
            }
            Format::Json => {
                for alarm in &alarms {
                    output::answer(format_args!("{}\n", put_metric_alarm_input(alarm).trim_end()))?;
                }
            }
            Format::Cloudformation => {
                output::answer(format_args!("{}\n", cloudformation(&alarms, &dashboards).trim_end()))?
            }
            Format::Terraform => output::answer(format_args!("{}\n", terraform(&alarms, &dashboards).trim_end()))?,
        }
        Ok(Status::Done)
    }
}
