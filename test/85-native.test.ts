import { describe, expect, it } from 'vitest';
import { programs, runProgram } from './native.js';

describe('native test programs', () => {
	it('were built', () => {
		expect(programs().length).toBeGreaterThan(0);
	});
	for (const program of programs()) {
		describe(program, () => {
			const report = runProgram(program);
			for (const line of report.lines) {
				it(line.name, () => {
					expect(line.reason).toBeUndefined();
				});
			}
			it('ends with status 0 and at least one case', () => {
				expect(report.lines.length).toBeGreaterThan(0);
				expect(report.status).toBe(0);
			});
		});
	}
});
