import { assert, describe, it } from "@effect/vitest"
import * as IpBits from "../../src/base/IpBits.ts"
import * as CloudMetadata from "../../src/policy/CloudMetadata.ts"
import { ip } from "../support/rules.ts"

const of = (address: string) => CloudMetadata.serviceAt(IpBits.ofAddress(ip(address)))?.is

describe("a metadata service", () => {
  for (const [address, cloud] of [
    ["169.254.169.254", "AWS, Google Cloud, Azure and others"],
    ["169.254.170.2", "AWS ECS"],
    ["168.63.129.16", "Azure"],
    ["192.0.0.192", "Oracle Cloud"],
    ["100.100.100.200", "Alibaba Cloud"],
    ["fd00:ec2::23", "AWS EKS"],
    ["fd00:ec2::254", "AWS"],
    ["fd00:ec2:ffff::1", "AWS"],
    ["fd20:ce::254", "Google Cloud"],
    ["fe80::a9fe:a9fe", "OpenStack and others"]
  ]) {
    it(`is at ${address}: ${cloud}`, () => {
      assert.strictEqual(of(address!), `the metadata service of ${cloud}`)
    })
  }

  it("is at no address next to one", () => {
    for (const address of [
      "169.254.169.253",
      "168.63.129.17",
      "192.0.0.193",
      "fd00:ec3::1",
      "fd20:ce::255",
      "fe80::1"
    ]) {
      assert.strictEqual(of(address), undefined, address)
    }
  })
})
