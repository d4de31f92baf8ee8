// The 2,000 posts of eval.csv, and which of them a turn takes: alike in every round, from the shortest to the longest.
import { Dataset } from '../../dist/index.js';
import { loadVocabulary } from '../../dist/model/vocabulary.js';
import { loadBase } from '../../dist/runtime/load.js';

/** { text, ids } of every post, shortest first. */
export async function posts(model, csv) {
	const vocabulary = await loadVocabulary(model);
	const tokenizer = new (loadBase().Tokenizer)(vocabulary);
	const options = { maxLength: 512, addSpecialTokens: true, matchSpecialTokens: true, spans: false };
	const rows = [];
	for await (const { text } of Dataset.fromCsv(csv)) rows.push({ text, ids: [...tokenizer.encodeSync([text], options).ids] });
	tokenizer.close();
	return rows.sort((a, b) => a.ids.length - b.ids.length);
}

/** One of each of `parts` equal parts of `list`, another in every round. */
const strata = (list, parts, round, rounds) =>
	Array.from({ length: parts }, (_, part) => list[Math.floor(((part + (round + 0.5) / rounds) / parts) * list.length)]);

/** What is done in turn: `singles` posts one by one, and `batches` batches of 32 posts of nearly one length. */
export function turns(rows, rounds, { singles, batches }) {
	const sorted = Array.from({ length: Math.floor(rows.length / 32) }, (_, batch) => rows.slice(32 * batch, 32 * batch + 32));
	return {
		'batch 1': Array.from({ length: rounds }, (_, round) => strata(rows, singles, round, rounds).map((row) => [row])),
		'batch 32, sorted': Array.from({ length: rounds }, (_, round) => strata(sorted, batches, round, rounds)),
	};
}
