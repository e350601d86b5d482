//! Gateways, load balancers, endpoints, addresses and names.

use crate::cost::sheet::{Said, Sheet};
use crate::cost::table::compute::ADDRESS;
use crate::cost::table::{Row, hourly, monthly, one};
use crate::cost::tally::Tally;
use crate::fleet::Quantity;

const VPC: &str = "https://aws.amazon.com/vpc/pricing/";
const LOAD_BALANCING: &str = "https://aws.amazon.com/elasticloadbalancing/pricing/";
const PRIVATE_LINK: &str = "https://aws.amazon.com/privatelink/pricing/";
const TRANSIT: &str = "https://aws.amazon.com/transit-gateway/pricing/";
const VPN: &str = "https://aws.amazon.com/vpn/pricing/";
const ACCELERATOR: &str = "https://aws.amazon.com/global-accelerator/pricing/";
const FIREWALL: &str = "https://aws.amazon.com/network-firewall/pricing/";
const ROUTE_53: &str = "https://aws.amazon.com/route53/pricing/";
const LATTICE: &str = "https://aws.amazon.com/vpc/lattice/pricing/";
const CLOUD_MAP: &str = "https://aws.amazon.com/cloud-map/pricing/";
const API_GATEWAY: &str = "https://aws.amazon.com/api-gateway/pricing/";

pub(super) const ROWS: &[Row] = &[
    Row::plain(
        "AWS::EC2::NatGateway",
        VPC,
        &[hourly("", "0.045", "a NAT gateway", "NAT gateways")],
        one,
    ),
    // Idle or in use: every public IPv4 address costs the same.
    Row::plain(
        ADDRESS,
        VPC,
        &[hourly("", "0.005", "a public IPv4 address", "public IPv4 addresses")],
        one,
    ),
    Row::plain(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        LOAD_BALANCING,
        &[
            hourly("application", "0.0225", "an ALB", "ALBs"),
            hourly("network", "0.0225", "an NLB", "NLBs"),
            hourly("gateway", "0.0125", "a gateway load balancer", "gateway load balancers"),
        ],
        load_balancer,
    ),
    Row::plain(
        "AWS::ElasticLoadBalancing::LoadBalancer",
        LOAD_BALANCING,
        &[hourly("", "0.025", "a classic load balancer", "classic load balancers")],
        one,
    ),
    Row::plain(
        "AWS::EC2::VPCEndpoint",
        PRIVATE_LINK,
        &[hourly("", "0.01", "an endpoint in one zone", "zones of interface endpoints")],
        endpoint,
    ),
    Row::plain(
        "AWS::EC2::TransitGatewayAttachment",
        TRANSIT,
        &[hourly("", "0.05", "a transit gateway attachment", "transit gateway attachments")],
        one,
    ),
    Row::plain("AWS::EC2::TransitGatewayVpcAttachment", TRANSIT, &[], |_, tally| {
        tally.add_of("AWS::EC2::TransitGatewayAttachment", "", (Quantity::ONE, false));
    }),
    Row::plain(
        "AWS::EC2::VPNConnection",
        VPN,
        &[hourly("", "0.05", "a VPN connection", "VPN connections")],
        one,
    ),
    Row::plain(
        "AWS::EC2::ClientVpnTargetNetworkAssociation",
        VPN,
        &[hourly("", "0.10", "a network of a client VPN", "networks of client VPNs")],
        one,
    ),
    Row::plain(
        "AWS::GlobalAccelerator::Accelerator",
        ACCELERATOR,
        &[hourly("", "0.025", "an accelerator", "accelerators")],
        one,
    ),
    Row::plain(
        "AWS::NetworkFirewall::Firewall",
        FIREWALL,
        &[hourly("", "0.395", "a firewall endpoint", "firewall endpoints")],
        |sheet, tally| zones(sheet, "SubnetMappings", tally),
    ),
    Row::plain(
        "AWS::Route53::HostedZone",
        ROUTE_53,
        &[monthly("", "0.50", "a hosted zone", "hosted zones")],
        one,
    ),
    // Of an endpoint in AWS and without options; others cost up to ten times that.
    Row::plain(
        "AWS::Route53::HealthCheck",
        ROUTE_53,
        &[monthly("", "0.50", "a health check", "health checks")],
        |_, tally| tally.add("", (Quantity::ONE, true)),
    ),
    Row::plain(
        "AWS::Route53Resolver::ResolverEndpoint",
        ROUTE_53,
        &[hourly("", "0.125", "a resolver address", "resolver addresses")],
        |sheet, tally| {
            let two = Quantity::whole(2);
            tally.add("", sheet.count(&["IpAddresses"]).at_least(two, two));
        },
    ),
    Row::plain(
        "AWS::VpcLattice::Service",
        LATTICE,
        &[hourly("", "0.025", "a VPC Lattice service", "VPC Lattice services")],
        one,
    ),
    // Each of these makes a hosted zone.
    Row::plain("AWS::ServiceDiscovery::PrivateDnsNamespace", CLOUD_MAP, &[], zone),
    Row::plain("AWS::ServiceDiscovery::PublicDnsNamespace", CLOUD_MAP, &[], zone),
    Row::plain(
        "AWS::ApiGateway::Stage",
        API_GATEWAY,
        &[
            hourly("0.5", "0.02", "a cache of 0.5 GB", "caches of 0.5 GB"),
            hourly("1.6", "0.038", "a cache of 1.6 GB", "caches of 1.6 GB"),
            hourly("6.1", "0.20", "a cache of 6.1 GB", "caches of 6.1 GB"),
            hourly("13.5", "0.25", "a cache of 13.5 GB", "caches of 13.5 GB"),
            hourly("28.4", "0.50", "a cache of 28.4 GB", "caches of 28.4 GB"),
            hourly("58.2", "1.00", "a cache of 58.2 GB", "caches of 58.2 GB"),
            hourly("118", "1.90", "a cache of 118 GB", "caches of 118 GB"),
            hourly("237", "3.80", "a cache of 237 GB", "caches of 237 GB"),
        ],
        cache,
    ),
];

fn load_balancer(sheet: &Sheet<'_>, tally: &mut Tally) {
    let kind = match sheet.text(&["Type"]).or("application") {
        Said::This(kind) if ["application", "network", "gateway"].contains(&kind) => kind,
        Said::This(_) | Said::Nothing | Said::Unknown => return tally.unknown(""),
    };
    tally.one(kind);
    let scheme = sheet.text(&["Scheme"]).or("internet-facing");
    if kind == "gateway" || scheme != Said::This("internet-facing") {
        return;
    }
    // One public address in each zone, unless it is an Elastic IP, which is counted itself.
    let two = Quantity::whole(2);
    let addresses = match sheet.items(&["SubnetMappings"]) {
        Said::This(mappings) => {
            let own = mappings.iter().filter(|mapping| !mapping.has(&["AllocationId"]));
            (Quantity::whole(own.count()), false)
        }
        Said::Nothing => sheet.count(&["Subnets"]).at_least(two, Quantity::ONE),
        Said::Unknown => (Quantity::ONE, true),
    };
    tally.add_of(ADDRESS, "", addresses);
}

/// Gateway endpoints, which are the default, cost nothing.
fn endpoint(sheet: &Sheet<'_>, tally: &mut Tally) {
    match sheet.text(&["VpcEndpointType"]).or("Gateway") {
        Said::This("Interface" | "GatewayLoadBalancer") => zones(sheet, "SubnetIds", tally),
        Said::This("Gateway") => {}
        Said::This(_) | Said::Nothing | Said::Unknown => tally.unknown(""),
    }
}

/// One for each subnet.
fn zones(sheet: &Sheet<'_>, subnets: &str, tally: &mut Tally) {
    tally.add("", sheet.count(&[subnets]).at_least(Quantity::ONE, Quantity::ONE));
}

fn zone(_: &Sheet<'_>, tally: &mut Tally) {
    tally.add_of("AWS::Route53::HostedZone", "", (Quantity::ONE, false));
}

fn cache(sheet: &Sheet<'_>, tally: &mut Tally) {
    match sheet.flag(&["CacheClusterEnabled"]).or(false) {
        Said::This(false) | Said::Nothing => return,
        Said::Unknown => return tally.unknown(""),
        Said::This(true) => {}
    }
    match sheet.text(&["CacheClusterSize"]) {
        Said::This(size) => tally.one(size),
        Said::Nothing | Said::Unknown => tally.add("0.5", (Quantity::ONE, true)),
    }
}
