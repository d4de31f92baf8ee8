import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Classifier, Dataset } from '../lib/index.js';
import { fixture, root } from './models.js';

// `distiltune predict` in processes of its own, on files.

const main = join(root, 'dist', 'cli', 'main.js');
const tiny = fixture('tiny-model');
const texts = ['I feel fine', 'no one, "really" no one', 'what a dark day! '.repeat(60), 'lost force bad'];
let folder: string;
let classifier: Classifier;
beforeAll(async () => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-predict-'));
	classifier = await Classifier.load(tiny);
});
afterAll(async () => {
	await classifier.dispose();
	rmSync(folder, { recursive: true });
});

const environment = { ...process.env, DISTILTUNE_DEBUG: '' };
function predict(args: readonly string[], input: string | Buffer = '') {
	const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'predict', tiny, ...args], {
		...{ encoding: 'utf8', cwd: folder, input, env: environment },
	});
	return { status, stdout, stderr, json: () => jsonLines(stdout) };
}
const jsonLines = (text: string) =>
	text
		.split('\n')
		.filter((line) => line !== '')
		.map((line) => JSON.parse(line));
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');

describe('what goes in', () => {
	const asJsonl = texts.map((text) => `${JSON.stringify({ text })}\n`).join('');
	const asCsv = `label,text\n${texts.map((text) => `x,"${text.replaceAll('"', '""')}"\n`).join('')}`;
	const asLines = texts.map((text) => `${text}\n`).join('');

	it.each([
		['rows.jsonl', [], asJsonl],
		['rows.csv', [], asCsv],
		['rows.tsv', [], asCsv.replace('label,text', 'label\ttext').replaceAll('x,"', 'x\t"')],
		['rows.txt', [], asLines.replaceAll('\n', '\r\n')],
		['rows.txt', [], asLines.slice(0, -1)],
		['rows.log', ['--input-format', 'lines'], asLines],
		['rows.log', ['--input-format', 'csv'], asCsv],
		['-', [], asJsonl],
		['-', ['--input-format', 'csv'], asCsv],
		['-', ['--input-format', 'lines'], asLines],
	])('%s %j', async (input, more, content) => {
		if (input !== '-') write(input, content);
		const { status, stderr, json } = predict(['--input', input, '--json', ...more], input === '-' ? content : '');
		expect([status, stderr]).toEqual([0, '']);
		expect(json()).toEqual(await classifier.predict(texts));
	});

	it('every line of a file of lines is a text, blank ones too', async () => {
		expect(predict(['--input', '-', '--input-format', 'lines', '--json'], 'I\n\n  \nfine').json()).toEqual(
			await classifier.predict(['I', '', '  ', 'fine']),
		);
	});

	it.each([
		[['--input', 'a.log'], 'a.log to be a folder of labels or to end in one of'],
		[['--input', 'a.csv', '--input-format', 'xml'], '`--input-format` to be one of csv, tsv, jsonl, lines, got "xml"'],
		[['--input', 'a.jsonl', '--output', './a.jsonl'], '--output to be another file than --input'],
		[['I', '--aggregate', 'max'], '--stride beside --aggregate'],
		[['I', '--aggregate', 'sum'], "'sum' is invalid. Allowed choices are mean, max."],
		[['I', '--top-k', '0', '--stride', '200'], '`topK` to be a whole number from 1 up, got 0; Expected `windows.stride`'],
		[['I', '--threshold', 'x'], 'Expected a number.'],
		[['--input', '-', '--input-format', 'lines'], 'standard input has no rows'],
	])('ends with 2: %j', (args, sentence) => {
		write('a.jsonl', '{"text":"I"}\n');
		const { status, stderr } = predict(args);
		expect(status).toBe(2);
		expect(stderr).toContain(sentence);
		expect(read('a.jsonl')).toBe('{"text":"I"}\n');
	});
});

describe('what comes out', () => {
	it('is a table where the name ends in .csv or .tsv', async () => {
		write('in.txt', `${texts.join('\n')}\n`);
		for (const name of ['out.csv', 'out.tsv']) {
			expect(predict(['--input', 'in.txt', '--output', name]).status).toBe(0);
			const delimiter = name.endsWith('.csv') ? ',' : '\t';
			const [header, ...lines] = read(name).replace(/\n$/, '').split('\n');
			expect(header?.split(delimiter)).toEqual(['label', 'score', 'score_calm', 'score_worried', 'score_alarmed', 'truncated', 'tokens', 'error']);
			const wanted = await classifier.predict(texts);
			expect(lines.map((line) => line.split(delimiter))).toEqual(
				wanted.map(({ label, score, scores, truncated, tokens }) => [label, score, ...Object.values(scores), truncated, tokens, ''].map(String)),
			);
		}
		// A table of ours can be read by our own reader.
		const rows = [];
		for await (const { label } of Dataset.fromCsv(join(folder, 'out.csv'), { textColumn: 'label' })) rows.push(label);
		expect(rows).toHaveLength(4);
	});

	it('is a list with --top-k, in JSON, in words and in a table', async () => {
		const wanted = await classifier.predict(texts[0] as string, { topK: 2 });
		expect(predict(['I feel fine', '--top-k', '2', '--json']).json()).toEqual([wanted]);
		const inWords = wanted.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join(', ');
		expect(predict(['I feel fine', '--top-k', '2']).stdout).toBe(`${inWords}\tI feel fine\n`);
		const threshold = String(wanted[0]?.score);
		expect(predict(['I feel fine', '--top-k', '9', '--threshold', threshold, '--output', 'top.csv']).status).toBe(0);
		expect(read('top.csv')).toBe(`label_1,score_1,label_2,score_2,label_3,score_3,error\n${wanted[0]?.label},${threshold},,,,,\n`);
	});

	it('reads long texts whole with --stride', async () => {
		const long = texts[2] as string;
		for (const aggregate of ['mean', 'max'] as const) {
			const { json } = predict([long, '--stride', '7', '--aggregate', aggregate, '--max-length', '40', '--json']);
			expect(json()).toEqual([await classifier.predict(long, { maxLength: 40, windows: { stride: 7, aggregate } })]);
		}
	});

	it.each(['fp32', 'bf16', 'int8'] as const)('is computed in --dtype %s', async (dtype) => {
		await using other = await Classifier.load(tiny, { dtype });
		const { status, json } = predict([...texts, '--dtype', dtype, '--json']);
		expect(status).toBe(0);
		expect(json()).toEqual(await other.predict(texts));
	});

	it('is refused in a dtype there is not', () => {
		const { status, stderr } = predict(['I feel fine', '--dtype', 'int4']);
		expect(status).toBe(2);
		expect(stderr).toMatch(/--dtype.*fp32, bf16, int8/);
	});

	it('tells rate and rows on standard error where it takes its time', async () => {
		const child = spawn(process.execPath, [main, 'predict', tiny, '--input', '-', '--output', 'slow.jsonl'], { cwd: folder, env: environment });
		let told = '';
		child.stderr.on('data', (data: Buffer) => {
			told += data.toString();
		});
		const feeding = setInterval(() => child.stdin.write('{"text":"I feel fine"}\n'), 20);
		while (!told.includes('\n')) await new Promise((resolve) => setTimeout(resolve, 50));
		clearInterval(feeding);
		child.stdin.end();
		expect(await once(child, 'exit')).toEqual([0, null]);
		expect(told).toMatch(/^\d+ rows {2}\d+ rows\/s\n/);
	});
});

describe('a row that cannot be read', () => {
	const bad = `{"text":"I"}\n{"text":7}\n${'{"text":\n'.repeat(30)}{"text":"fine"}\n`;

	it('is told with file and line, and leaves its error in its place', () => {
		write('bad.jsonl', bad);
		const { status, stderr } = predict(['--input', 'bad.jsonl', '--output', 'good.jsonl']);
		expect(status).toBe(0);
		expect(stderr).toContain('warning: Line 2 of bad.jsonl: expected the text to be a string, got 7\n');
		expect(stderr).toContain('warning: Line 21 of bad.jsonl');
		expect(stderr).not.toContain('Line 22');
		expect(stderr).toContain('warning: 31 of 33 rows could not be read; --strict ends at the first\n');
		const lines = jsonLines(read('good.jsonl'));
		expect(lines).toHaveLength(33);
		expect(lines[1]).toEqual({ error: { code: 'TEXT_INVALID', message: expect.stringContaining('Line 2'), line: 2 } });
		expect(lines[31]).toMatchObject({ error: { code: 'JSON_INVALID', line: 32 } });
		expect(lines[32]).toHaveProperty('label');

		expect(predict(['--input', 'bad.jsonl', '--output', 'good.csv', '--quiet'])).toMatchObject({ status: 0, stderr: '' });
		expect(read('good.csv').split('\n')[2]).toBe(',,,,,,,"Line 2 of bad.jsonl: expected the text to be a string, got 7"');
	});

	it('ends it with --strict, and no file is left', () => {
		write('bad.jsonl', bad);
		const { status, stderr } = predict(['--input', 'bad.jsonl', '--output', 'none.jsonl', '--strict']);
		expect([status, stderr]).toEqual([2, 'error: Line 2 of bad.jsonl: expected the text to be a string, got 7\n']);
		expect(readdirSync(folder).filter((name) => name.startsWith('none.jsonl'))).toEqual([]);
	});
});

describe('an early end', () => {
	it('by a file that is damaged leaves the answers so far beside', async () => {
		write('cut.csv', 'text\nI\nfeel\n"fine\n');
		const { status, stderr } = predict(['--input', 'cut.csv', '--output', 'early.csv']);
		expect(status).toBe(2);
		expect(stderr).toMatch(/^The 2 answers so far are in early\.csv\.partial\nerror: Line 4 of cut\.csv: a double quote opens/);
		expect(read('early.csv.partial').split('\n')).toHaveLength(4);
		expect(existsSync(join(folder, 'early.csv'))).toBe(false);
		expect(predict(['--input', 'cut.csv', '--output', 'early.jsonl', '--strict']).status).toBe(2);
		expect(readdirSync(folder).filter((name) => name.startsWith('early.jsonl') || name.includes('.tmp-'))).toEqual([]);
	});

	// Windows has no signals to send: Ctrl-C there is an event of the console.
	it.skipIf(process.platform === 'win32').each([
		['SIGINT', 130, []],
		['SIGTERM', 143, []],
		['SIGINT', 130, ['--strict']],
	] as const)('by %s leaves whole lines of answers beside, and exit code %i; %j', async (signal, code, more) => {
		const out = `stopped-${code}-${more.length}.jsonl`;
		const args = [main, 'predict', tiny, '--input', '-', '--input-format', 'lines', '--output', out, ...more];
		const child = spawn(process.execPath, args, { cwd: folder, env: environment });
		let told = '';
		child.stderr.on('data', (data: Buffer) => {
			told += data.toString();
		});
		child.stdin.on('error', () => {}); // closed by its end
		const feeding = setInterval(() => {
			if (child.stdin.writableLength < 1e5) child.stdin.write('I feel fine\nno one is here\n'.repeat(100));
		}, 5);
		while (!told.includes('rows/s')) await new Promise((resolve) => setTimeout(resolve, 20));
		child.kill(signal);
		const [status] = await once(child, 'exit');
		clearInterval(feeding);
		expect(status).toBe(code);
		expect(existsSync(join(folder, out))).toBe(false);
		expect(readdirSync(folder).filter((name) => name.includes('.tmp-'))).toEqual([]);
		if (more.length > 0) return expect(existsSync(join(folder, `${out}.partial`))).toBe(false);
		const answers = jsonLines(read(`${out}.partial`));
		expect(told).toContain(`The ${answers.length} answers so far are in ${out}.partial\n`);
		const both = await classifier.predict(['I feel fine', 'no one is here']);
		expect(answers.slice(0, 1000)).toEqual(answers.slice(0, 1000).map((_, row) => both[row % 2]));
	});

	it.skipIf(process.platform === 'win32')('does not wait for a standard input that says nothing', async () => {
		const child = spawn(process.execPath, [main, 'predict', tiny, '--input', '-', '--json'], { cwd: folder, env: environment });
		child.stdin.write('{"text":"I feel fine"}\n');
		expect(JSON.parse((await once(child.stdout, 'data')).toString())).toEqual(await classifier.predict('I feel fine'));
		child.kill('SIGINT');
		expect(await once(child, 'exit')).toEqual([130, null]);
	});
});
