import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from './models.js';

// The compiled command line in processes of its own.
const main = join(root, 'dist', 'cli', 'main.js');
let folder: string;
function distiltune(...args: string[]) {
	const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'data', 'check', ...args], { encoding: 'utf8', cwd: folder });
	return { status, stdout, stderr };
}

const words = 'river stone window garden paper silver morning engine letter copper'.split(' ');
const rows = Array.from({ length: 40 }, (_, row) => ({
	text: Array.from({ length: 9 }, (__, word) => `${words[(row * 7 + word * 3 + (row >> 2) * word) % 10]}${(row * word) % 13}`).join(' '),
	label: row % 2 === 0 ? 'ham' : 'spam',
}));
const csv = (all: readonly { text: string; label: string }[]) => `text,label\n${all.map(({ text, label }) => `${text},${label}\n`).join('')}`;

beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), 'distiltune-check-cli-'));
	writeFileSync(join(folder, 'clean.csv'), csv(rows));
	writeFileSync(join(folder, 'train.csv'), csv([...rows, rows[0] as (typeof rows)[0]]));
	writeFileSync(join(folder, 'eval.csv'), csv(rows.slice(5, 7)));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('distiltune data check', () => {
	it('tells people what matters first, and fails only where asked', () => {
		const { status, stdout, stderr } = distiltune('train.csv', '--against', 'eval.csv');
		expect([status, stderr]).toEqual([0, 'Reading train.csv and eval.csv ...\n']);
		expect(stdout).toMatch(
			/^train\.csv: 41 rows\n {2}labels {3}ham 21 \(51\.2%\), spam 20 \(48\.8%\)\n {2}tokens {3}median \d+, .*\(counted by minilm-l6\)\n/,
		);
		expect(stdout).toContain('Not ready: one thing to mend before a training');
		expect(stdout).toContain('1. error LEAK, train.csv\n   2 rows of eval.csv (100%) stand in train.csv too');
		expect(stdout).toContain(`   lines 7, 8\n     > line 7 [spam] ${rows[5]?.text}\n       like line 2 of eval.csv [spam] ${rows[5]?.text}\n`);
		expect(distiltune('train.csv', '--against', 'eval.csv', '--strict').status).toBe(1);
		expect(distiltune('clean.csv', '--strict', '--quiet')).toEqual({
			status: 0,
			stdout: 'Ready to train on: nothing was found that stands in the way.\n',
			stderr: '',
		});
	});

	it('gives the report as JSON, and writes the repaired rows', () => {
		const { status, stdout } = distiltune('train.csv', '--against', 'eval.csv', '--fix', 'fixed.csv', '--json', '--quiet');
		expect(status).toBe(0);
		const report = JSON.parse(stdout);
		expect(report).toMatchObject({
			data: { rows: 41 },
			against: { rows: 2 },
			repairs: { output: 'fixed.csv', rows: 38, dropped: { copies: { count: 1, lines: [42] }, leaked: { count: 2, lines: [7, 8] } } },
		});
		expect(readFileSync(join(folder, 'fixed.csv'), 'utf8')).toBe(csv(rows.filter((_, row) => row !== 5 && row !== 6)));
		const words = distiltune('train.csv', '--fix', 'again.csv').stdout;
		expect(words).toContain('Wrote 40 rows to again.csv.\n  dropped 1 that repeated an earlier row to the letter: 42');
	});

	it('ends with 2 where there is nothing to check', () => {
		const { status, stdout, stderr } = distiltune('none.csv', '--json');
		expect(status).toBe(2);
		expect(JSON.parse(stdout).error.code).toBe('FILE_NOT_FOUND');
		expect(stderr).toContain('error: There is no file none.csv');
		expect(distiltune('clean.csv', '--label-column', 'class').stderr).toContain('expected a column "class", found "text", "label"');
	});
});
