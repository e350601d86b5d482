//! OpenSearch: domains with their disks, and the least that a serverless collection keeps.

use crate::cost::sheet::{Said, Sheet};
use crate::cost::table::{Classes, Row, class, hourly, monthly};
use crate::cost::tally::Tally;
use crate::fleet::Quantity;

const DOMAIN: &str = "AWS::OpenSearchService::Domain";
const OPENSEARCH: &str = "https://aws.amazon.com/opensearch-service/pricing/";

pub(super) const ROWS: &[Row] = &[
    Row {
        kind: DOMAIN,
        source: OPENSEARCH,
        prices: &[
            monthly("gp2", "0.135", "1 GB of gp2 storage", "GB of gp2 storage"),
            monthly("gp3", "0.122", "1 GB of gp3 storage", "GB of gp3 storage"),
        ],
        classes: Some(Classes {
            prices: &[
                class("t3.small.search", "0.036"),
                class("t3.medium.search", "0.073"),
                class("m4.large.search", "0.151"),
                class("m5.large.search", "0.142"),
                class("m6g.large.search", "0.128"),
                class("c5.large.search", "0.125"),
                class("c6g.large.search", "0.113"),
                class("r5.large.search", "0.186"),
                class("r6g.large.search", "0.167"),
                class("ultrawarm1.medium.search", "0.238"),
            ],
            families: &[],
            one: "1 {} node",
            many: "{} nodes",
        }),
        count: |sheet, tally| domain(sheet, "ClusterConfig", tally),
    },
    Row::plain("AWS::Elasticsearch::Domain", OPENSEARCH, &[], |sheet, tally| {
        domain(sheet, "ElasticsearchClusterConfig", tally);
    }),
    // Half an OCU to index and half to search, both twice unless it has no standby. Collections of
    // one account and key share them.
    Row::plain(
        "AWS::OpenSearchServerless::Collection",
        OPENSEARCH,
        &[hourly("OCU", "0.24", "1 OCU of OpenSearch", "OCUs of OpenSearch")],
        |sheet, tally| {
            let ocus = match sheet.text(&["StandbyReplicas"]).or("ENABLED") {
                Said::This("DISABLED") => (Quantity::ONE, false),
                Said::This(_) | Said::Nothing => (Quantity::whole(2), false),
                Said::Unknown => (Quantity::ONE, true),
            };
            tally.add("OCU", ocus);
        },
    ),
];

/// A domain of either name; the classes of the older one end otherwise and cost the same.
fn domain(sheet: &Sheet<'_>, config: &str, tally: &mut Tally) {
    let one = Quantity::ONE;
    let nodes = sheet.number(&[config, "InstanceCount"]).at_least(one, one);
    class_of(sheet.text(&[config, "InstanceType"]).or("m4.large.search"), nodes, tally);
    let masters = sheet.flag(&[config, "DedicatedMasterEnabled"]).or(false);
    if masters != Said::This(false) {
        let count = sheet.number(&[config, "DedicatedMasterCount"]);
        let (count, at_least) = count.at_least(Quantity::whole(3), Quantity::whole(3));
        let count =
            if masters == Said::Unknown { (Quantity::ZERO, true) } else { (count, at_least) };
        class_of(sheet.text(&[config, "DedicatedMasterType"]), count, tally);
    }
    if sheet.flag(&[config, "WarmEnabled"]) == Said::This(true) {
        let count = sheet.number(&[config, "WarmCount"]).at_least(one, one);
        class_of(sheet.text(&[config, "WarmType"]), count, tally);
    }
    if sheet.flag(&["EBSOptions", "EBSEnabled"]) == Said::This(true) {
        let size = sheet.number(&["EBSOptions", "VolumeSize"]).or_else(|| Said::Unknown);
        let (size, at_least) = size.at_least(Quantity::ZERO, Quantity::whole(10));
        let kind = match sheet.text(&["EBSOptions", "VolumeType"]).or("gp2") {
            Said::This(kind @ ("gp2" | "gp3")) => kind,
            Said::This(_) | Said::Nothing | Said::Unknown => return tally.unknown("storage"),
        };
        tally.add_of(DOMAIN, kind, (size.times(nodes.0), at_least || nodes.1));
    }
}

fn class_of(class: Said<&str>, count: (Quantity, bool), tally: &mut Tally) {
    let Said::This(class) = class else { return tally.unknown("") };
    let renamed = class.replace(".elasticsearch", ".search");
    tally.class_of(DOMAIN, "", Said::This(&renamed), count);
}
