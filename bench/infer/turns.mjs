// The child's half of ../turns.mjs: answers every line with the seconds and the logits of the turn's batches.
import { createInterface } from 'node:readline';

/** `classify(batch)` gives a list of logits, one list for each row. */
export async function serve(turns, classify, lastWords = () => ({})) {
	const say = (words) => process.stdout.write(`${JSON.stringify(words)}\n`);
	for (const batch of turns[0]) await classify(batch);
	say({ ready: true });
	let turn = 0;
	for await (const _ of createInterface({ input: process.stdin })) {
		const batches = turns[turn++];
		const logits = [];
		const started = performance.now();
		for (const batch of batches) logits.push(...(await classify(batch)));
		say({ seconds: (performance.now() - started) / 1000, logits });
	}
	say({ rss: process.memoryUsage.rss(), peakRss: process.resourceUsage().maxRSS * 1024, ...lastWords() });
}
