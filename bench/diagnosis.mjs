// The diagnosis shown on runs made to fail, each in one way, on as many with other seeds, rates and rows, and on healthy ones.
//   node bench/diagnosis.mjs [--parallel 2] [--only overfitting]   writes out/diagnosis.json and the table of docs/diagnosis.md
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Dataset } from '../dist/index.js';
import { damagedModel } from './diagnosis/damage.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { parallel: { type: 'string', default: '2' }, only: { type: 'string', default: '' } } });
const cli = join(root, 'dist', 'cli', 'main.js');
const minilm = join(root, 'models', 'minilm-l6');
const folder = mkdtempSync(join(tmpdir(), 'distiltune-diagnosis-'));

const posts = async (name) => {
	const rows = [];
	for await (const { text, label } of Dataset.fromCsv(join(root, 'examples', 'depression', name))) rows.push({ text, label });
	return rows;
};
const [training, evaluation] = [await posts('train.csv'), await posts('eval.csv')];

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function draws(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

const slice = (rows, from, count) => rows.slice(from, from + count);
const other = (label) => (label === 'control' ? 'depression' : 'control');

/** Labels in another order than their texts. */
function shuffled(rows, seed) {
	const draw = draws(seed);
	const labels = rows.map(({ label }) => label);
	for (let last = labels.length - 1; last > 0; last--) {
		const place = Math.floor(draw() * (last + 1));
		[labels[last], labels[place]] = [labels[place], labels[last]];
	}
	return rows.map(({ text }, index) => ({ text, label: labels[index] }));
}

/** A share of the labels wrong. */
function noisy(rows, share, seed) {
	const draw = draws(seed);
	return rows.map(({ text, label }) => ({ text, label: draw() < share ? other(label) : label }));
}

/** `rare` rows of depression among `count`. */
function lopsided(rows, count, rare) {
	const of = (wanted) => rows.filter(({ label }) => label === wanted);
	const [most, few] = [of('control').slice(0, count - rare), of('depression').slice(0, rare)];
	const every = Math.floor(most.length / few.length);
	return few.flatMap((row, index) => [row, ...most.slice(index * every, index === few.length - 1 ? undefined : (index + 1) * every)]);
}

/** `a` of the first, `b` of the second of every way to fail: another seed, rate and slice of the rows. */
const sets = { a: { seed: 21, from: 400 }, b: { seed: 34, from: 2600 } };

/** What fails, what is to be found, and how it is made: options of `train`, and rows. */
function failing(set) {
	const { seed, from } = sets[set];
	const pick = (a, b) => (set === 'a' ? a : b);
	const rows = (count) => slice(training, from, count);
	const measured = (count) => slice(evaluation, pick(900, 1500), count);
	const sound = { learningRate: pick(1.1e-4, 1.4e-4), numTrainEpochs: 1 };
	return [
		[
			'rate too high',
			'LEARNING_RATE_TOO_HIGH',
			{ train: rows(320), eval: measured(100), options: { learningRate: pick(8e-3, 1.5e-2), numTrainEpochs: 1 } },
		],
		[
			'rate too low',
			'LEARNING_RATE_TOO_LOW',
			{ train: rows(320), eval: measured(100), options: { learningRate: pick(4e-8, 2e-7), numTrainEpochs: 1 } },
		],
		[
			'warm-up longer than the run; ten steps',
			'HEAD_NOT_TRAINED',
			{ train: rows(320), eval: measured(100), options: pick({ ...sound, warmupSteps: 2500 }, { learningRate: 2e-5, maxSteps: 10 }) },
		],
		[
			'labels shuffled',
			'LABELS_SHUFFLED',
			{
				train: shuffled(rows(pick(320, 288)), seed),
				eval: shuffled(measured(200), seed + 1),
				options: { learningRate: pick(8e-5, 7e-5), numTrainEpochs: 2 },
			},
		],
		[
			'texts that say nothing, nothing measured',
			'LOSS_NOT_FALLING',
			{ train: rows(320).map(({ label }, row) => ({ text: pick('no text', `row ${row % 10}`), label })), options: sound },
		],
		[
			'one label rare',
			'ONE_CLASS_ONLY',
			{ train: lopsided(rows(1500), 300, pick(12, 20)), eval: measured(150), options: { learningRate: pick(4e-5, 6e-5), numTrainEpochs: 1 } },
		],
		[
			'a layer that gives nothing; a dead head',
			'GRADIENT_VANISHING',
			{ train: rows(320), eval: measured(100), damage: pick('silent layer', 'dead head'), options: { ...sound, learningRate: pick(5e-5, 1e-4) } },
		],
		[
			'a layer out of scale; rate .5',
			'GRADIENT_EXPLODING',
			{ train: rows(240), eval: measured(60), ...pick({ damage: 'loud layer', options: sound }, { options: { ...sound, learningRate: 0.5 } }) },
		],
		[
			'trained a second time',
			'TRAINING_FAR_BELOW_VALIDATION',
			{
				train: noisy(rows(pick(112, 128)), 0.2, seed),
				eval: measured(300),
				options: { learningRate: pick(5e-5, 3e-5), numTrainEpochs: 1 },
				before: { learningRate: pick(2e-4, 1.5e-4), numTrainEpochs: 8 },
			},
		],
		[
			'rows learned by heart',
			'OVERFITTING',
			{
				seed: pick(55, 89),
				train: noisy(slice(training, pick(1800, 3600), pick(128, 112)), pick(0.3, 0.25), pick(55, 89)),
				eval: measured(200),
				options: { learningRate: pick(1.8e-4, 1.3e-4), numTrainEpochs: 8 },
			},
		],
		[
			'evaluation rows among the training rows',
			'EVALUATION_LEAK',
			{ train: [...rows(280), ...measured(pick(150, 60))], eval: measured(200), options: sound },
		],
		['few rows', 'TOO_FEW_ROWS', { train: rows(pick(24, 60)), eval: measured(150), options: { learningRate: pick(1e-4, 2e-4), numTrainEpochs: 3 } }],
		[
			'few rows to measure on',
			'EVALUATION_TOO_SMALL',
			{ train: rows(360), eval: measured(pick(30, 20)), options: { learningRate: pick(1e-4, 1.5e-4), numTrainEpochs: 1 } },
		],
	].map(([way, expected, made]) => ({ set, way, expected, seed, ...made }));
}

const healthy = [
	[320, 300, 1e-4, 2, 1],
	[400, 400, 1e-4, 2, 2],
	[480, 300, 5e-5, 2, 3],
	[360, 350, 2e-4, 1, 4],
	[280, 300, 1.5e-4, 3, 5],
	[560, 320, 7e-5, 1, 6],
].map(([rows, measured, learningRate, numTrainEpochs, seed], index) => ({
	set: 'healthy',
	way: `${rows} rows, rate ${learningRate}, ${numTrainEpochs} epochs`,
	expected: undefined,
	seed,
	train: slice(training, 700 * index, rows),
	eval: slice(evaluation, 250 * index, measured),
	options: { learningRate, numTrainEpochs },
}));

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
function csv(path, rows) {
	writeFileSync(path, `text,label\n${rows.map(({ text, label }) => `${quoted(text)},${label}`).join('\n')}\n`);
	return path;
}

const called = (args) =>
	new Promise((resolve) => {
		execFile(process.execPath, [cli, ...args], { maxBuffer: 2 ** 28 }, (error, stdout, stderr) =>
			resolve({ code: error?.code ?? 0, stdout, stderr }),
		);
	});
const flags = (options) =>
	Object.entries(options).flatMap(([name, value]) => [`--${name.replace(/[A-Z]/g, (each) => `-${each.toLowerCase()}`)}`, String(value)]);

async function told({ set, way, expected, seed, train, eval: rows, options, damage, before }, index) {
	const place = join(folder, String(index));
	mkdirSync(place);
	const data = ['--train', csv(join(place, 'train.csv'), train), ...(rows ? ['--eval', csv(join(place, 'eval.csv'), rows)] : [])];
	const common = [...data, ...flags({ maxLength: 16, threads: 1, seed }), '--quiet'];
	let model = damage === undefined ? minilm : damagedModel(minilm, join(place, 'model'), damage);
	if (before !== undefined) {
		await called(['train', '--model', model, ...common, ...flags({ ...before, evalStrategy: 'no' }), '--output-dir', join(place, 'before')]);
		model = join(place, 'before');
	}
	const started = performance.now();
	const run = await called(['train', '--model', model, ...common, ...flags(options), '--output-dir', join(place, 'out')]);
	const seconds = (performance.now() - started) / 1000;
	const doctor = await called(['doctor', 'run', join(place, 'out'), '--json']);
	if (doctor.code !== 0) throw new Error(`${way}: doctor run ended with ${doctor.code}:\n${doctor.stderr}${run.stderr}`);
	const { findings, accuracy, steps, status } = JSON.parse(doctor.stdout);
	const codes = findings.map(({ code }) => code);
	const right = expected === undefined ? codes.length === 0 : codes.includes(expected);
	copyFileSync(join(place, 'out', status === 'failed' ? 'unfinished-run.json' : 'run.json'), join(folder, `${set}-${index}.json`));
	if (right) rmSync(place, { recursive: true });
	console.error(
		`${right ? 'right' : 'WRONG'}  ${set}  ${way}: ${codes.join(', ') || 'nothing'}  (${seconds.toFixed(0)} s, accuracy ${accuracy}, ${place})`,
	);
	return {
		set,
		way,
		expected,
		seed,
		learningRate: options.learningRate,
		rows: train.length,
		steps,
		status,
		accuracy,
		codes,
		right,
		seconds,
		findings,
	};
}

const wanted = [...failing('a'), ...failing('b'), ...healthy].filter(({ way, set }) => `${set} ${way}`.includes(values.only));
const results = new Array(wanted.length);
let next = 0;
await Promise.all(
	Array.from({ length: Number(values.parallel) }, async () => {
		while (next < wanted.length) {
			const index = next++;
			results[index] = await told(wanted[index], index);
		}
	}),
);
console.error(`${results.filter(({ right }) => right).length} of ${results.length} right`);
if (values.only === '') {
	mkdirSync(join(root, 'out'), { recursive: true });
	writeFileSync(join(root, 'out', 'diagnosis.json'), `${JSON.stringify(results, undefined, '\t')}\n`);
	const lines = results.map(({ set, way, rows, learningRate, seed, steps, accuracy, codes, expected }) => {
		const found = codes.map((code) => (code === expected ? `**${code}**` : code)).join(', ') || 'nothing';
		return `| ${set} | ${way} | ${rows} | ${learningRate} | ${seed} | ${steps} | ${accuracy === null ? '' : accuracy.toFixed(3)} | ${found} |`;
	});
	const table = ['| set | run | rows | rate | seed | steps | accuracy | found |', '|---|---|---|---|---|---|---|---|', ...lines].join('\n');
	const page = join(root, 'docs', 'diagnosis.md');
	const mark = /(<!-- table of bench\/diagnosis.mjs -->\n)[\s\S]*?(<!-- end of table -->)/;
	writeFileSync(
		page,
		readFileSync(page, 'utf8').replace(mark, (_, before, after) => `${before}${table}\n${after}`),
	);
}
process.exitCode = results.every(({ right }) => right) ? 0 : 1;
