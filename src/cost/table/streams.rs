//! Streams, brokers, schedulers and the other ways that data moves.

use crate::cost::sheet::{Said, Sheet};
use crate::cost::table::{Classes, Row, class, hourly, monthly};
use crate::cost::tally::Tally;
use crate::fleet::Quantity;

const KINESIS: &str = "https://aws.amazon.com/kinesis/data-streams/pricing/";
const MSK: &str = "https://aws.amazon.com/msk/pricing/";
const MQ: &str = "https://aws.amazon.com/amazon-mq/pricing/";
const MWAA: &str = "https://aws.amazon.com/managed-workflows-for-apache-airflow/pricing/";
const TRANSFER: &str = "https://aws.amazon.com/aws-transfer-family/pricing/";
const DMS: &str = "https://aws.amazon.com/dms/pricing/";

pub(super) const ROWS: &[Row] = &[
    Row::plain(
        "AWS::Kinesis::Stream",
        KINESIS,
        &[
            hourly("shard", "0.015", "1 shard", "shards"),
            hourly("on-demand", "0.04", "an on-demand stream", "on-demand streams"),
        ],
        stream,
    ),
    // For each shard of the stream that it reads.
    Row::plain(
        "AWS::Kinesis::StreamConsumer",
        KINESIS,
        &[hourly("", "0.015", "a consumer of 1 shard", "shards of consumers")],
        |sheet, tally| {
            let shards =
                sheet.resource(&["StreamARN"]).map(|stream| stream.number(&["ShardCount"]));
            let shards = match shards {
                Some(Said::This(shards)) => (shards, false),
                Some(Said::Nothing | Said::Unknown) | None => (Quantity::ONE, true),
            };
            tally.add("", shards);
        },
    ),
    Row {
        kind: "AWS::MSK::Cluster",
        source: MSK,
        prices: &[monthly("GB", "0.10", "1 GB of broker storage", "GB of broker storage")],
        classes: Some(Classes {
            prices: &[
                class("kafka.t3.small", "0.0456"),
                class("kafka.m5.large", "0.21"),
                class("kafka.m7g.large", "0.204"),
            ],
            families: &[],
            one: "1 {} broker",
            many: "{} brokers",
        }),
        count: brokers,
    },
    Row::plain(
        "AWS::MSK::ServerlessCluster",
        MSK,
        &[hourly("", "0.75", "a serverless Kafka cluster", "serverless Kafka clusters")],
        |_, tally| tally.one(""),
    ),
    // One instance; a standby doubles it and a cluster has three.
    Row {
        kind: "AWS::AmazonMQ::Broker",
        source: MQ,
        prices: &[],
        classes: Some(Classes {
            prices: &[class("mq.t2.micro", "0.03"), class("mq.m5.large", "0.288")],
            families: &[class("mq.m5", "0.288")],
            one: "1 {} broker",
            many: "{} brokers",
        }),
        count: |sheet, tally| {
            let instances = sheet.text(&["DeploymentMode"]).or("SINGLE_INSTANCE").map(|mode| {
                Quantity::whole(match mode {
                    "ACTIVE_STANDBY_MULTI_AZ" => 2,
                    "CLUSTER_MULTI_AZ" => 3,
                    _ => 1,
                })
            });
            let instances = instances.at_least(Quantity::ONE, Quantity::ONE);
            tally.class("", sheet.text(&["HostInstanceType"]), instances);
        },
    },
    Row::plain(
        "AWS::MWAA::Environment",
        MWAA,
        &[
            hourly(
                "mw1.small",
                "0.49",
                "a small Airflow environment",
                "small Airflow environments",
            ),
            hourly(
                "mw1.medium",
                "0.74",
                "a medium Airflow environment",
                "medium Airflow environments",
            ),
            hourly(
                "mw1.large",
                "0.99",
                "a large Airflow environment",
                "large Airflow environments",
            ),
        ],
        |sheet, tally| match sheet.text(&["EnvironmentClass"]).or("mw1.small") {
            Said::This(class) => tally.one(class),
            Said::Nothing | Said::Unknown => tally.add("mw1.small", (Quantity::ONE, true)),
        },
    ),
    Row::plain(
        "AWS::Transfer::Server",
        TRANSFER,
        &[hourly("", "0.30", "a protocol of a transfer server", "protocols of transfer servers")],
        |sheet, tally| {
            tally.add("", sheet.count(&["Protocols"]).at_least(Quantity::ONE, Quantity::ONE));
        },
    ),
    Row {
        kind: "AWS::DMS::ReplicationInstance",
        source: DMS,
        prices: &[],
        classes: Some(Classes {
            prices: &[
                class("dms.t2.micro", "0.018"),
                class("dms.t3.micro", "0.018"),
                class("dms.t3.small", "0.036"),
                class("dms.t3.medium", "0.073"),
            ],
            families: &[],
            one: "1 {} instance",
            many: "{} instances",
        }),
        count: |sheet, tally| {
            let two = Quantity::whole(2);
            let zones = sheet.flag(&["MultiAZ"]);
            let zones = zones.map(|multi| if multi { two } else { Quantity::ONE });
            let zones = zones.at_least(Quantity::ONE, Quantity::ONE);
            tally.class("", sheet.text(&["ReplicationInstanceClass"]), zones);
        },
    },
];

fn stream(sheet: &Sheet<'_>, tally: &mut Tally) {
    let mode = sheet.text(&["StreamModeDetails", "StreamMode"]);
    match mode {
        Said::This("ON_DEMAND") => tally.one("on-demand"),
        Said::This(_) | Said::Nothing => {
            tally
                .add("shard", sheet.number(&["ShardCount"]).at_least(Quantity::ONE, Quantity::ONE));
        }
        Said::Unknown => tally.add("shard", (Quantity::ONE, true)),
    }
}

fn brokers(sheet: &Sheet<'_>, tally: &mut Tally) {
    let one = Quantity::ONE;
    let nodes = sheet.number(&["NumberOfBrokerNodes"]).at_least(one, one);
    tally.class("", sheet.text(&["BrokerNodeGroupInfo", "InstanceType"]), nodes);
    let path = ["BrokerNodeGroupInfo", "StorageInfo", "EBSStorageInfo", "VolumeSize"];
    match sheet.number(&path) {
        Said::This(size) => tally.add("GB", (size.times(nodes.0), nodes.1)),
        Said::Nothing => {}
        Said::Unknown => tally.unknown("GB"),
    }
}
