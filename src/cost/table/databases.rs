//! Databases and caches that are kept running, and capacity that is reserved in them.

use crate::cost::sheet::{Said, Sheet};
use crate::cost::table::{Classes, Price, Row, class, hourly, monthly};
use crate::cost::tally::Tally;
use crate::fleet::Quantity;

const CACHE: &str = "AWS::ElastiCache::CacheCluster";
const TABLE: &str = "AWS::DynamoDB::Table";
const DATABASE: &str = "AWS::RDS::DBInstance";

const RDS: &str = "https://aws.amazon.com/rds/pricing/";
const AURORA: &str = "https://aws.amazon.com/rds/aurora/pricing/";
const ELASTICACHE: &str = "https://aws.amazon.com/elasticache/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/provisioned/";
const DAX: &str = "https://aws.amazon.com/dynamodb/pricing/provisioned/";
const DOCUMENTDB: &str = "https://aws.amazon.com/documentdb/pricing/";
const NEPTUNE: &str = "https://aws.amazon.com/neptune/pricing/";
const REDSHIFT: &str = "https://aws.amazon.com/redshift/pricing/";
const EFS: &str = "https://aws.amazon.com/efs/pricing/";

const MACHINE: (&str, &str) = ("1 {} instance", "{} instances");
const NODE: (&str, &str) = ("1 {} node", "{} nodes");

const fn classes(
    (one, many): (&'static str, &'static str),
    prices: &'static [(&'static str, crate::fleet::Money)],
) -> Option<Classes> {
    Some(Classes { prices, families: &[], one, many })
}

pub(super) const ROWS: &[Row] = &[
    // In one zone. MariaDB costs what MySQL costs.
    Row {
        kind: DATABASE,
        source: RDS,
        prices: STORAGE,
        classes: classes(
            MACHINE,
            &[
                class("mysql/db.t3.micro", "0.017"),
                class("mysql/db.t3.small", "0.034"),
                class("mysql/db.t3.medium", "0.068"),
                class("mysql/db.t3.large", "0.136"),
                class("mysql/db.t4g.micro", "0.016"),
                class("mysql/db.t4g.small", "0.032"),
                class("mysql/db.t4g.medium", "0.065"),
                class("mysql/db.t4g.large", "0.129"),
                class("mysql/db.m5.large", "0.171"),
                class("mysql/db.m6g.large", "0.152"),
                class("mysql/db.r5.large", "0.24"),
                class("mysql/db.r6g.large", "0.215"),
                class("postgres/db.t3.micro", "0.018"),
                class("postgres/db.t3.small", "0.036"),
                class("postgres/db.t3.medium", "0.072"),
                class("postgres/db.t3.large", "0.145"),
                class("postgres/db.t4g.micro", "0.016"),
                class("postgres/db.t4g.small", "0.032"),
                class("postgres/db.t4g.medium", "0.065"),
                class("postgres/db.t4g.large", "0.129"),
                class("postgres/db.m5.large", "0.178"),
                class("postgres/db.m6g.large", "0.159"),
                class("postgres/db.r5.large", "0.25"),
                class("postgres/db.r6g.large", "0.225"),
                class("aurora/db.t3.medium", "0.082"),
                class("aurora/db.t3.large", "0.164"),
                class("aurora/db.t4g.medium", "0.073"),
                class("aurora/db.t4g.large", "0.146"),
                class("aurora/db.r5.large", "0.29"),
                class("aurora/db.r6g.large", "0.26"),
            ],
        ),
        count: database,
    },
    Row::plain("AWS::RDS::DBCluster", AURORA, &[], cluster),
    Row {
        kind: CACHE,
        source: ELASTICACHE,
        prices: &[],
        classes: classes(
            NODE,
            &[
                class("cache.t2.micro", "0.017"),
                class("cache.t3.micro", "0.017"),
                class("cache.t3.small", "0.034"),
                class("cache.t3.medium", "0.068"),
                class("cache.t4g.micro", "0.016"),
                class("cache.t4g.small", "0.032"),
                class("cache.t4g.medium", "0.065"),
                class("cache.m5.large", "0.156"),
                class("cache.m6g.large", "0.149"),
                class("cache.m7g.large", "0.158"),
                class("cache.r5.large", "0.216"),
                class("cache.r6g.large", "0.206"),
                class("cache.r7g.large", "0.219"),
                class("valkey/cache.t3.micro", "0.0136"),
                class("valkey/cache.t3.small", "0.0272"),
                class("valkey/cache.t4g.micro", "0.0128"),
                class("valkey/cache.t4g.small", "0.0256"),
                class("valkey/cache.t4g.medium", "0.052"),
                class("valkey/cache.m7g.large", "0.1264"),
                class("valkey/cache.r7g.large", "0.1752"),
            ],
        ),
        count: cache,
    },
    Row::plain("AWS::ElastiCache::ReplicationGroup", ELASTICACHE, &[], replicated_cache),
    // At least 0.1 GB are paid with Valkey, otherwise 1 GB.
    Row::plain(
        "AWS::ElastiCache::ServerlessCache",
        ELASTICACHE,
        &[
            hourly("GB", "0.125", "1 GB of serverless cache", "GB of serverless cache"),
            hourly(
                "valkey GB",
                "0.084",
                "1 GB of serverless Valkey cache",
                "GB of serverless Valkey cache",
            ),
        ],
        serverless_cache,
    ),
    Row::plain(
        TABLE,
        DYNAMODB,
        &[
            hourly("RCU", "0.00013", "1 read capacity unit", "read capacity units"),
            hourly("WCU", "0.00065", "1 write capacity unit", "write capacity units"),
            hourly("IA RCU", "0.00016", "1 IA read capacity unit", "IA read capacity units"),
            hourly("IA WCU", "0.00081", "1 IA write capacity unit", "IA write capacity units"),
        ],
        table,
    ),
    Row::plain("AWS::DynamoDB::GlobalTable", DYNAMODB, &[], global_table),
    Row {
        kind: "AWS::DAX::Cluster",
        source: DAX,
        prices: &[],
        classes: classes(
            NODE,
            &[
                class("dax.t3.small", "0.04"),
                class("dax.t3.medium", "0.08"),
                class("dax.r5.large", "0.255"),
            ],
        ),
        count: |sheet, tally| {
            let nodes = sheet.number(&["ReplicationFactor"]);
            let nodes = nodes.at_least(Quantity::ONE, Quantity::ONE);
            tally.class("", sheet.text(&["NodeType"]), nodes);
        },
    },
    Row {
        kind: "AWS::DocDB::DBInstance",
        source: DOCUMENTDB,
        prices: &[],
        classes: classes(MACHINE, &[class("db.t3.medium", "0.078"), class("db.r5.large", "0.277")]),
        count: db_instance,
    },
    Row {
        kind: "AWS::Neptune::DBInstance",
        source: NEPTUNE,
        prices: &[],
        classes: classes(MACHINE, &[class("db.t3.medium", "0.098"), class("db.r5.large", "0.348")]),
        count: db_instance,
    },
    Row {
        kind: "AWS::Redshift::Cluster",
        source: REDSHIFT,
        prices: &[],
        classes: classes(
            NODE,
            &[
                class("dc2.large", "0.25"),
                class("ra3.large", "0.543"),
                class("ra3.xlplus", "1.086"),
                class("ra3.4xlarge", "3.26"),
                class("ra3.16xlarge", "13.04"),
            ],
        ),
        count: |sheet, tally| {
            let nodes = sheet.number(&["NumberOfNodes"]);
            let nodes = nodes.at_least(Quantity::ONE, Quantity::ONE);
            tally.class("", sheet.text(&["NodeType"]), nodes);
        },
    },
    // What is stored is priced by use; throughput that is provisioned is not.
    Row::plain(
        "AWS::EFS::FileSystem",
        EFS,
        &[monthly("MiB/s", "6.00", "1 MiB/s of EFS throughput", "MiB/s of EFS throughput")],
        |sheet, tally| match sheet.text(&["ThroughputMode"]) {
            Said::This("provisioned") => {
                let speed = sheet.number(&["ProvisionedThroughputInMibps"]);
                tally.add("MiB/s", speed.at_least(Quantity::ONE, Quantity::ONE));
            }
            Said::This(_) | Said::Nothing => {}
            Said::Unknown => tally.unknown("MiB/s"),
        },
    ),
];

const STORAGE: &[Price] = &[
    hourly("ACU", "0.12", "1 ACU of Aurora Serverless", "ACUs of Aurora Serverless"),
    monthly("gp2", "0.115", "1 GB of gp2 storage", "GB of gp2 storage"),
    monthly("gp3", "0.115", "1 GB of gp3 storage", "GB of gp3 storage"),
    monthly("io1", "0.125", "1 GB of io1 storage", "GB of io1 storage"),
    monthly("io2", "0.125", "1 GB of io2 storage", "GB of io2 storage"),
    monthly("standard", "0.10", "1 GB of magnetic storage", "GB of magnetic storage"),
    monthly("IOPS", "0.10", "1 provisioned IOPS", "provisioned IOPS"),
];

fn database(sheet: &Sheet<'_>, tally: &mut Tally) {
    let class = sheet.text(&["DBInstanceClass"]);
    if class == Said::This("db.serverless") {
        return serverless_database(sheet, tally);
    }
    let two = Quantity::whole(2);
    let zones = sheet.flag(&["MultiAZ"]).map(|multi| if multi { two } else { Quantity::ONE });
    let zones = zones.at_least(Quantity::ONE, Quantity::ONE);
    let (engine, at_least) = match sheet.text(&["Engine"]) {
        Said::This("mysql" | "mariadb") => ("mysql", false),
        Said::This("postgres") => ("postgres", false),
        Said::This(engine) if engine.starts_with("aurora") => ("aurora", false),
        Said::This(_) => return tally.unknown(""),
        // A replica has the engine of its source. No engine costs less than MySQL.
        Said::Nothing | Said::Unknown => ("mysql", true),
    };
    tally.class(&format!("{engine}/"), class, (zones.0, zones.1 || at_least));
    if engine == "aurora" {
        return;
    }
    let kind = match sheet.text(&["StorageType"]).or("gp2") {
        Said::This(kind) if STORAGE.iter().any(|price| price.variant == kind) => kind,
        Said::This(_) | Said::Nothing | Said::Unknown => return tally.unknown("storage"),
    };
    let size = sheet.number(&["AllocatedStorage"]).or_else(|| Said::Unknown);
    let (size, at_least) = size.at_least(Quantity::ZERO, Quantity::whole(20));
    tally.add(kind, (size.times(zones.0), at_least || zones.1));
    if kind.starts_with("io") {
        let (speed, at_least) = sheet.number(&["Iops"]).at_least(Quantity::ZERO, Quantity::ZERO);
        tally.add("IOPS", (speed.times(zones.0), at_least || zones.1));
    }
}

/// An instance that grows and shrinks is paid by the least that its cluster keeps; from 0 it is
/// free while nobody uses it.
fn serverless_database(sheet: &Sheet<'_>, tally: &mut Tally) {
    let cluster = sheet.resource(&["DBClusterIdentifier"]);
    let least = cluster.map_or(Said::Unknown, |cluster| {
        cluster.number(&["ServerlessV2ScalingConfiguration", "MinCapacity"])
    });
    match least {
        Said::This(least) => tally.add("ACU", (least, false)),
        Said::Nothing | Said::Unknown => tally.unknown("ACU"),
    }
}

/// What a cluster costs is counted with its instances, unless it has machines itself.
fn cluster(sheet: &Sheet<'_>, tally: &mut Tally) {
    if sheet.has(&["DBClusterInstanceClass"]) || sheet.has(&["ScalingConfiguration"]) {
        tally.unknown("");
    }
}

fn db_instance(sheet: &Sheet<'_>, tally: &mut Tally) {
    tally.class("", sheet.text(&["DBInstanceClass"]), (Quantity::ONE, false));
}

/// The prefix of an engine's prices, and whether the engine may be a dearer one.
fn engine(sheet: &Sheet<'_>) -> (&'static str, bool) {
    match sheet.text(&["Engine"]) {
        Said::This("valkey") => ("valkey/", false),
        Said::This(_) | Said::Nothing => ("", false),
        Said::Unknown => ("valkey/", true),
    }
}

fn cache(sheet: &Sheet<'_>, tally: &mut Tally) {
    let (prefix, may_be_more) = engine(sheet);
    let nodes = sheet.number(&["NumCacheNodes"]).at_least(Quantity::ONE, Quantity::ONE);
    let class = sheet.text(&["CacheNodeType"]);
    tally.class(prefix, class, (nodes.0, nodes.1 || may_be_more));
}

fn replicated_cache(sheet: &Sheet<'_>, tally: &mut Tally) {
    let (prefix, may_be_more) = engine(sheet);
    let one = Quantity::ONE;
    let replicas = sheet.number(&["ReplicasPerNodeGroup"]);
    let (nodes, at_least) = if sheet.has(&["NumNodeGroups"]) || replicas != Said::Nothing {
        let (groups, some) = sheet.number(&["NumNodeGroups"]).at_least(one, one);
        let (replicas, more) = replicas.at_least(Quantity::ZERO, Quantity::ZERO);
        (groups.times(one.plus(replicas)), some || more)
    } else {
        let nodes = sheet.number(&["NumCacheClusters"]);
        let nodes = nodes.or_else(|| sheet.count(&["NodeGroupConfiguration"]));
        let groups_only =
            !sheet.has(&["NumCacheClusters"]) && sheet.has(&["NodeGroupConfiguration"]);
        let (nodes, some) = nodes.at_least(one, one);
        (nodes, some || groups_only)
    };
    let class = sheet.text(&["CacheNodeType"]);
    tally.class_of(CACHE, prefix, class, (nodes, at_least || may_be_more));
}

fn serverless_cache(sheet: &Sheet<'_>, tally: &mut Tally) {
    let tenth = Quantity::ONE.in_parts(10);
    let (variant, least, may_be_more) = match sheet.text(&["Engine"]) {
        Said::This("valkey") => ("valkey GB", tenth, false),
        Said::This(_) | Said::Nothing => ("GB", Quantity::ONE, false),
        Said::Unknown => ("valkey GB", tenth, true),
    };
    let asked = sheet.number(&["CacheUsageLimits", "DataStorage", "Minimum"]);
    let (asked, at_least) = asked.at_least(least, least);
    tally.add(variant, (asked.max(least), at_least || may_be_more));
}

fn table(sheet: &Sheet<'_>, tally: &mut Tally) {
    match sheet.text(&["BillingMode"]).or("PROVISIONED") {
        Said::This("PAY_PER_REQUEST") => return,
        Said::This(_) | Said::Nothing => {}
        Said::Unknown => return tally.unknown("RCU"),
    }
    let prefix = storage_class(sheet);
    let mut capacity = |sheet: &Sheet<'_>| {
        for (variant, field) in [("RCU", "ReadCapacityUnits"), ("WCU", "WriteCapacityUnits")] {
            let units = sheet.number(&["ProvisionedThroughput", field]);
            let units = units.at_least(Quantity::ONE, Quantity::ONE);
            tally.add(&format!("{prefix}{variant}"), units);
        }
    };
    capacity(sheet);
    if let Said::This(indexes) = sheet.items(&["GlobalSecondaryIndexes"]) {
        indexes.iter().for_each(&mut capacity);
    }
}

fn storage_class(sheet: &Sheet<'_>) -> &'static str {
    let infrequent = Said::This("STANDARD_INFREQUENT_ACCESS");
    if sheet.text(&["TableClass"]) == infrequent { "IA " } else { "" }
}

/// Every replica reads for itself and is written to as often as the others.
fn global_table(sheet: &Sheet<'_>, tally: &mut Tally) {
    match sheet.text(&["BillingMode"]).or("PROVISIONED") {
        Said::This("PAY_PER_REQUEST") => return,
        Said::This(_) | Said::Nothing => {}
        Said::Unknown => return tally.unknown("RCU"),
    }
    let Said::This(replicas) = sheet.items(&["Replicas"]) else { return tally.unknown("RCU") };
    let least = |said: Said<Quantity>| said.at_least(Quantity::ONE, Quantity::ONE).0;
    let path =
        ["WriteProvisionedThroughputSettings", "WriteCapacityAutoScalingSettings", "MinCapacity"];
    let writes = least(sheet.number(&path)).times(Quantity::whole(replicas.len()));
    tally.add_of(TABLE, "WCU", (writes, true));
    let read = "ReadProvisionedThroughputSettings";
    let reads = replicas.iter().fold(Quantity::ZERO, |sum, replica| {
        let fixed = replica.number(&[read, "ReadCapacityUnits"]);
        let scaled = || replica.number(&[read, "ReadCapacityAutoScalingSettings", "MinCapacity"]);
        sum.plus(least(fixed.or_else(scaled)))
    });
    tally.add_of(TABLE, "RCU", (reads, true));
}
