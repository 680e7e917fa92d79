// A chat from the shop page to the case in the CRM.
import assert from "node:assert/strict";
import { test, until } from "./checks.mjs";
import { sandbox } from "./demo.mjs";
import { agentAtWork, nothingBroke, photographer, recordShown, Visitor } from "./pages.mjs";

const GRACE = { name: "Grace Okafor", email: "grace.okafor@okafor-sons.example", message: "My parcel came open." };

export async function chatTests(world) {
  const { demo } = world;

  // proves A14, B6, B13, B19, C1, C3, D1, D2, D6, D7
  await test("a chat becomes one case, with the visitor's record open before it is accepted", async () => {
    const shot = photographer(world, "chat");
    const before = new Set((await sandbox(demo, "/records")).map(({ id }) => id));
    const panel = await agentAtWork(world, "anna");
    await shot(panel.page, "available");
    const visitor = await Visitor.inShop(world);
    await shot(visitor.page, "form");
    await visitor.start(GRACE);
    await shot(visitor.page, "waiting");

    await panel.offer.getByText("Grace Okafor").first().waitFor();
    await recordShown(panel.page, "Grace Okafor");
    assert.equal(await panel.offer.isVisible(), true, "the record opens while the offer still rings");
    await panel.offer.getByText(/exact · same e-mail address/).first().waitFor();
    await shot(panel.page, "offer-and-record");

    await panel.accept();
    await panel.conversation.getByText(GRACE.message, { exact: true }).waitFor();
    await visitor.frame.getByText("You are talking to Anna Berg").waitFor();
    await panel.say("I am sorry to hear that. Which parcel was it?");
    await visitor.conversation.getByText("I am sorry to hear that. Which parcel was it?").waitFor();
    await visitor.message.pressSequentially("The one with", { delay: 20 });
    await panel.frame.getByText("Grace Okafor is typing…").waitFor();
    await shot(panel.page, "typing");
    await visitor.say("The one with the blue cup 🫖.");
    await panel.conversation.getByText("The one with the blue cup 🫖.").waitFor();
    await shot(panel.page, "talk");
    await shot(visitor.page, "talk");

    await visitor.end();
    await shot(visitor.page, "ended");
    await panel.wrapUp.waitFor();
    await panel.frame.getByText(/Grace Okafor ended the chat/).first().waitFor();
    await panel.classify("Delivery", "Send a new cup.");
    await shot(panel.page, "wrap-up");
    await panel.complete();

    await panel.madeCase.waitFor();
    await shot(panel.page, "case");
    const records = await until("the case is in the CRM", async () => {
      const fresh = (await sandbox(demo, "/records")).filter(({ id }) => !before.has(id));
      return fresh.length > 0 && fresh;
    });
    assert.equal(records.length, 1, "exactly one record");
    const [made] = records;
    const transcript = made.attachments.map(([, text]) => text).join("\n");
    for (const said of [GRACE.message, "Which parcel was it?", "The one with the blue cup 🫖."]) {
      assert.ok(transcript.includes(said), `the transcript holds "${said}"`);
    }
    assert.ok(JSON.stringify(made.fields).includes("Delivery"), "the classification is in the case");
    const label = await panel.madeCase.innerText();
    await panel.madeCase.click();
    await panel.page.locator("main .head .kind").getByText(label, { exact: true }).waitFor();
    await shot(panel.page, "case-open");
    await panel.page.locator("main [data-related=Files] details").first().waitFor();
    nothingBroke(panel.page, visitor.page);
    await panel.page.context().close();
    await visitor.page.context().close();
  });
}
