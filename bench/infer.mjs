// Posts a second beside onnxruntime and Transformers.js, with the same weights and the same posts, in turns; logits are compared.
//   npm run bench -- infer [--rounds 12] [--singles 16] [--batches 2] [--threads 0]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { cacheFolder } from '../dist/runtime/cache.js';
import { posts, turns } from './infer/rows.mjs';
import { Ceilings, hasBf16, keep, machine, median, root, sum, table } from './machine.mjs';
import { modelFolder } from './models.mjs';
import { peerPython } from './peers/environment.mjs';
import { peerPackages } from './peers/packages.mjs';
import { Turns } from './turns.mjs';

const { values } = parseArgs({
	options: {
		rounds: { type: 'string', default: '12' },
		singles: { type: 'string', default: '16' },
		batches: { type: 'string', default: '2' },
		threads: { type: 'string', default: '0' },
	},
});
const [rounds, singles, batches, threads] = [values.rounds, values.singles, values.batches, values.threads].map(Number);
const model = await modelFolder('distilbert-base', 2);
const python = peerPython('inference.txt');
const packages = peerPackages();
const onnx = exported();
const rows = await posts(model, join(root, 'examples', 'depression', 'eval.csv'));
const kinds = turns(rows, rounds, { singles, batches });
const folder = mkdtempSync(join(tmpdir(), 'distiltune-bench-'));

/** The folder with the model's graphs, made by torch.onnx from the same weights. */
function exported() {
	const target = join(cacheFolder(), 'bench', 'distilbert-base-random-2-onnx');
	if (existsSync(target)) return target;
	const fresh = `${target}.${process.pid}`;
	rmSync(fresh, { recursive: true, force: true });
	const { status } = spawnSync(python, [join(root, 'bench', 'peers', 'export_onnx.py'), model, fresh], { stdio: ['ignore', 'ignore', 'inherit'] });
	if (status !== 0) throw new Error('The graph was not exported');
	renameSync(fresh, target);
	return target;
}

const file = (...path) => join(root, 'bench', ...path);
const [ids, texts] = [Object.keys(kinds), ['batch 1']];
const sides = [
	{ name: 'distiltune fp32', kinds: ids, command: process.execPath, program: file('infer', 'ours.mjs'), dtype: 'fp32' },
	{ name: 'onnxruntime fp32', kinds: ids, command: python, program: file('peers', 'onnxruntime_session.py'), dtype: 'fp32' },
	{ name: 'distiltune int8', kinds: ids, command: process.execPath, program: file('infer', 'ours.mjs'), dtype: 'int8' },
	{ name: 'onnxruntime int8', kinds: ids, command: python, program: file('peers', 'onnxruntime_session.py'), dtype: 'int8' },
	{ name: 'distiltune int8, texts', kinds: texts, command: process.execPath, program: file('infer', 'ours-texts.mjs'), dtype: 'int8' },
	{ name: 'Transformers.js, texts', kinds: texts, command: process.execPath, program: file('infer', 'transformers.mjs'), dtype: null },
	{ name: 'Transformers.js q8, texts', kinds: texts, command: process.execPath, program: file('infer', 'transformers.mjs'), dtype: 'q8' },
	// onnxruntime has no bf16 of its own on processors to compare it with.
	...(hasBf16 ? [{ name: 'distiltune bf16', kinds: ids, command: process.execPath, program: file('infer', 'ours.mjs'), dtype: 'bf16' }] : []),
];

/** A child takes the kinds in turn, round by round. */
function child({ name, kinds: own, command, program, dtype }) {
	const paper = join(folder, `${name}.json`);
	const list = Array.from({ length: rounds }, (_, round) => own.map((kind) => kinds[kind][round])).flat();
	writeFileSync(paper, JSON.stringify({ model, onnx, packages, dtype, threads, turns: list }));
	return new Turns(command, [program, paper]);
}

const ceilings = await Ceilings.start(threads);
/** seconds[kind][side][round] */
const seconds = Object.fromEntries(ids.map((kind) => [kind, {}]));
/** Largest difference of a logit from onnxruntime's in fp32. */
const differences = {};
try {
	for (const side of sides) {
		side.child = child(side);
		await side.child.next(); // one after another, so that no warm-up takes the cores from another
	}
	for (let round = 0; round < rounds; round++) {
		await ceilings.measure();
		for (const kind of ids) {
			const logits = {};
			for (const { name, child: each } of sides.filter((side) => side.kinds.includes(kind))) {
				const said = await each.take(1);
				seconds[kind][name] ??= [];
				seconds[kind][name].push(said.seconds);
				logits[name] = said.logits.flat();
			}
			const exact = logits['onnxruntime fp32'];
			for (const name of Object.keys(logits).filter((each) => !each.endsWith('texts') && each !== 'onnxruntime fp32'))
				differences[name] = Math.max(differences[name] ?? 0, ...logits[name].map((logit, place) => Math.abs(logit - exact[place])));
			const count = kinds[kind][round].flat().length;
			const rates = Object.entries(seconds[kind]).map(([name, list]) => `${name} ${(count / list.at(-1)).toFixed(1)}`);
			console.error(`round ${round + 1}/${rounds}, ${kind}, posts/s: ${rates.join(', ')}`);
		}
	}
	for (const side of sides) side.words = await side.child.end();
} finally {
	for (const { child: each } of sides) each?.kill();
	ceilings.stop();
	rmSync(folder, { recursive: true, force: true });
}

const against = {
	'distiltune fp32': ['onnxruntime fp32'],
	'distiltune int8': ['onnxruntime int8'],
	'distiltune bf16': ['onnxruntime fp32', 'onnxruntime int8'],
	'distiltune int8, texts': ['Transformers.js, texts', 'Transformers.js q8, texts'],
};
const results = ids.map((kind) => {
	const count = sum(kinds[kind].map((turn) => turn.flat().length));
	const tokens = sum(kinds[kind].flat(2).map((row) => row.ids.length));
	const rate = (name) => count / sum(seconds[kind][name]);
	const told = Object.keys(seconds[kind]).map((name) => ({ name, postsPerSecond: rate(name), seconds: seconds[kind][name] }));
	const ratios = Object.entries(against).flatMap(([name, peers]) =>
		peers
			.filter((peer) => seconds[kind][peer] !== undefined && seconds[kind][name] !== undefined)
			.map((peer) => ({
				name,
				peer,
				ratio: rate(name) / rate(peer),
				medianRatio: median(seconds[kind][peer].map((each, round) => each / seconds[kind][name][round])),
			})),
	);
	return { kind, posts: count, tokens, sides: told, ratios };
});

const { cpu, cores, node, loadAverage } = machine();
const version = (name) => sides.find((side) => side.name === name).words.version;
const versions = { onnxruntime: version('onnxruntime fp32'), transformersJs: version('Transformers.js, texts') };
console.log(`distilbert-base sizes, random weights, ${cpu} x ${cores}, Node ${node}, load ${loadAverage.toFixed(1)}; ${ceilings.told}`);
console.log(`onnxruntime ${versions.onnxruntime} (torch.onnx graph), Transformers.js ${versions.transformersJs}; ${rounds} rounds in turns`);
for (const { kind, posts: count, tokens, sides: told, ratios } of results) {
	console.log(`\n${kind}: ${count} posts, ${tokens} tokens`);
	console.log(table([['side', 'posts/s'], ...told.map((each) => [each.name, each.postsPerSecond.toFixed(1)])]));
	for (const { name, peer, ratio, medianRatio } of ratios)
		console.log(`${name} over ${peer}: ${ratio.toFixed(2)}x, median of rounds ${medianRatio.toFixed(2)}x`);
}
console.log(
	`\nlargest difference of a logit from onnxruntime fp32: ${Object.entries(differences)
		.map(([name, each]) => `${name} ${each.toExponential(1)}`)
		.join(', ')}`,
);
console.log(`resident memory: ${sides.map(({ name, words }) => `${name} ${((words.rss ?? words.peakRss) / 1e6).toFixed(0)} MB`).join(', ')}`);
keep('infer', {
	rounds,
	threads,
	results,
	differences,
	ceilings: ceilings.rounds,
	versions,
	memory: sides.map(({ name, words }) => ({ name, ...words })),
});
