// docs/parity.md and its pictures, from the results of the stages.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { peerPython } from '../peers/environment.mjs';
import { DRIFT_FACTOR, epochTable, gaps, headGap } from './compare.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

const table = (head, rows) =>
	[head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
const loss = (value) => (value === undefined ? 'no log' : value.toFixed(4));
const gap = (value) => (value === 0 ? '0' : value.toExponential(1));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** `steps`: { ours, theirs, again }; `epochs`: [{ seed, ours, theirs? }], the first with both sides; `command`: what was typed. */
export function writePage({ steps, epochs, command }) {
	const reference = JSON.parse(readFileSync(join(root, 'test', 'fixtures', 'reference', 'runs.json'), 'utf8'));
	const measured = gaps(steps.ours, steps.theirs);
	const yardstick = gaps(steps.again, steps.theirs);
	const paired = epochs.filter(({ theirs }) => theirs !== undefined);
	const fields = {
		...steps.ours.versions,
		...steps.theirs.versions,
		trainRows: steps.ours.rowTokens.length.toLocaleString('en'),
		evalRows: steps.ours.logOdds.length.toLocaleString('en'),
		steps: String(steps.ours.losses.length),
		driftFactor: String(DRIFT_FACTOR),
		gapTable: gapTable(steps, measured, yardstick),
		epochTable: paired.map(bothEpochTables).join('\n\n'),
		grouping:
			steps.theirs.groups === null
				? 'Trainer at its defaults, which pads each batch to its longest row.'
				: "Transformers' runs were made with `--split-by-length`: a subclass of Trainer computes each batch of 8 in groups of rows of similar length and weights their losses by their rows. Mean loss and gradient of the batch stay what they are; the seconds and the memory are not those of a Trainer at its defaults.",
		again: steps.theirs.groups === null ? 'in groups of rows of similar length' : 'row by row',
		seedTable: seedTable(reference, epochs),
		costTable: costTable(steps, epochs),
		machine: machines([...Object.values(steps), ...epochs.flatMap(({ ours, theirs = ours }) => [ours, theirs])]),
		command,
	};
	const template = readFileSync(join(here, 'page.md'), 'utf8');
	const page = template.replace(/\{\{(\w+)\}\}/g, (_, name) => {
		if (!Object.hasOwn(fields, name)) throw new Error(`page.md asks for ${name}, which nothing gives`);
		return fields[name];
	});
	writeFileSync(join(root, 'docs', 'parity.md'), page);
	draw({
		steps: { ours: steps.ours.losses, theirs: steps.theirs.losses, gap: measured.losses, yardstick: yardstick.losses },
		epochs: { seed: paired[0].seed, ours: curve(paired[0].ours), theirs: curve(paired[0].theirs), seeds: reference.runs.map(accuracies) },
	});
}

const accuracies = ({ table }) => table.map(({ accuracy }) => accuracy);

function curve(result) {
	const rows = epochTable(result);
	return {
		losses: result.losses,
		at: rows.map(({ step }) => step),
		validation: rows.map(({ validationLoss }) => validationLoss),
		accuracy: accuracies({ table: rows }),
	};
}

function draw(data) {
	const folder = mkdtempSync(join(tmpdir(), 'distiltune-parity-'));
	try {
		const file = join(folder, 'data.json');
		writeFileSync(file, JSON.stringify(data));
		execFileSync(peerPython(), [join(here, 'pictures.py'), file, join(root, 'docs')], { stdio: ['ignore', 2, 2] });
	} finally {
		rmSync(folder, { recursive: true });
	}
}

function gapTable({ ours, theirs, again }, measured, yardstick) {
	const accuracy = (result) => result.evaluations.at(-1).eval_accuracy.toFixed(4);
	const at = ({ gap: value, index }, what) => `${gap(value)} (${what} ${index + 1})`;
	const row = (name, show) => [name, show(measured), show(yardstick)];
	return table(
		['largest gap', 'distiltune from Transformers', 'Transformers from itself'],
		[
			['start values of the head', gap(headGap(ours, theirs).gap), gap(headGap(again, theirs).gap)],
			row('learning rate, relative', ({ rate }) => gap(rate.gap)),
			row('loss', (each) => at(each.loss, 'step')),
			row('loss, mean over the steps', ({ meanLoss }) => gap(meanLoss)),
			row('gradient norm, relative', ({ norm }) => at(norm, 'step')),
			row('validation loss at the end', ({ validationLoss }) => gap(validationLoss)),
			row('difference of the two logits of a post at the end', ({ logOdds }) => at(logOdds, 'row')),
			row('posts given another label', ({ otherLabels }) => String(otherLabels)),
			[`accuracy at the end (Transformers: ${accuracy(theirs)})`, accuracy(ours), accuracy(again)],
		],
	);
}

function bothEpochTables({ seed, ours, theirs }) {
	const cells = ({ loggedLoss, epochMeanLoss, validationLoss, accuracy }) => [
		loss(loggedLoss),
		loss(epochMeanLoss),
		loss(validationLoss),
		accuracy.toFixed(4),
	];
	const rows = [
		['Transformers', theirs],
		['distiltune', ours],
	].flatMap(([name, result]) => epochTable(result).map((row) => [name, row.epoch, row.step, ...cells(row)]));
	return table([`seed ${seed}`, 'epoch', 'step', 'logged loss', 'mean loss', 'validation loss', 'accuracy'], rows);
}

function seedTable(reference, epochs) {
	const cells = (row) => (row === undefined ? ['', '', ''] : [loss(row.epochMeanLoss), loss(row.validationLoss), row.accuracy.toFixed(4)]);
	const ours = reference.runs.map(({ seed }) => epochs.find((each) => each.seed === seed)).map((found) => found && epochTable(found.ours));
	const rows = reference.runs.flatMap(({ seed, table: theirs }, run) =>
		theirs.map((row, index) => [seed, row.epoch, ...cells(row), ...cells(ours[run]?.[index])]),
	);
	const known = ours.filter((each) => each !== undefined);
	const average = (tables, index) =>
		Object.fromEntries(['epochMeanLoss', 'validationLoss', 'accuracy'].map((name) => [name, mean(tables.map((each) => each[index][name]))]));
	const tables = reference.runs.map(({ table: each }) => each);
	const means = tables[0].map(({ epoch }, index) => [
		'mean',
		epoch,
		...cells(average(tables, index)),
		...cells(known.length === tables.length ? average(known, index) : undefined),
	]);
	const head = ['mean loss', 'validation loss', 'accuracy'];
	return table(['seed', 'epoch', ...head.map((name) => `Transformers: ${name}`), ...head.map((name) => `distiltune: ${name}`)], [...rows, ...means]);
}

const grouped = ({ groups }) => (groups === null ? '' : ' in groups');

function costTable(steps, epochs) {
	const row = (name, { wallSeconds, peakRssBytes, loadAverage, pieces, date }) => [
		name,
		wallSeconds.toFixed(0),
		(peakRssBytes / 1e6).toFixed(0),
		loadAverage.map((load) => load.toFixed(1)).join(', '),
		pieces,
		date.slice(0, 10),
	];
	return table(
		['run', 'seconds', 'peak memory, MB', 'load average', 'pieces', 'date'],
		[
			row('steps, distiltune', steps.ours),
			row(`steps, Transformers${grouped(steps.theirs)}`, steps.theirs),
			row('steps, Transformers again', steps.again),
			...epochs.flatMap(({ seed, ours, theirs }) => [
				row(`epochs, distiltune, seed ${seed}`, ours),
				...(theirs === undefined ? [] : [row(`epochs, Transformers${grouped(theirs)}, seed ${seed}`, theirs)]),
			]),
		],
	);
}

function machines(results) {
	const names = results.map(({ machine: { cpu, cores, platform } }) => `${cores} cores of ${cpu}, ${platform}`);
	const { python, node } = Object.assign({}, ...results.map(({ versions }) => versions));
	return `Machine: ${[...new Set(names)].join('; ')}; Node ${node}, Python ${python}.`;
}
