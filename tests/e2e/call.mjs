// A call that a telephone system publishes on RabbitMQ, in the middle of a chat.
import assert from "node:assert/strict";
import { test } from "./checks.mjs";
import { publishCall } from "./demo.mjs";
import { agentAtWork, nothingBroke, photographer, recordShown, Visitor } from "./pages.mjs";

export async function callTests(world) {
  const { demo } = world;

  // proves B4, B5, E2
  await test("a call opens its caller, parks the chat, and gives the wrap-up back", async () => {
    const shot = photographer(world, "call");
    const panel = await agentAtWork(world, "anna");
    const visitor = await Visitor.inShop(world);
    await visitor.start({ name: "Grace Okafor", email: "grace.okafor@okafor-sons.example", message: "Is my order out?" });
    await panel.accept();
    await panel.conversation.getByText("Is my order out?", { exact: true }).waitFor();
    await recordShown(panel.page, "Grace Okafor");

    const ines = { caller: "+43 664 5550 123", call: "c-1" };
    publishCall(demo, { ...ines, what: "ringing", agent: "201" });
    await panel.call.getByText("Call ringing").waitFor();
    await recordShown(panel.page, "Ines Marek");
    await panel.call.getByText("Ines Marek").first().waitFor();
    await shot(panel.page, "ringing");

    publishCall(demo, { ...ines, what: "answered", agent: "anna" });
    await panel.stands("Parked");
    await panel.frame.getByText("Others see: On a call").waitFor();
    await shot(panel.page, "talking");

    await visitor.end();
    await panel.stands("Parked wrap-up");
    await shot(panel.page, "parked-wrap-up");
    publishCall(demo, { ...ines, what: "ended", agent: "anna" });
    await panel.stands("Wrap-up");
    await panel.frame.getByText("Others see: Wrap-up").waitFor();
    assert.equal(await panel.call.count(), 0, "the call's card is gone");
    await shot(panel.page, "wrap-up-again");
    await panel.classify("Order", "");
    await panel.complete();
    await panel.madeCase.waitFor();
    nothingBroke(panel.page, visitor.page);
    await panel.page.context().close();
    await visitor.page.context().close();
  });
}
